// Flux-Gate flash sale: everyone orders the last hundred, and exactly a hundred may get one
//
// POST /order without a pause, each as a user of its own with an idempotency key of its own. 200 is an accepted order, 409
// sold out, 302 the way to the waiting room: all three are right answers. What the sale promises is judged afterwards, in
// `verify`: never more orders than stock, every accepted order in the books, and nothing left once anyone was told that
// it is sold out. Up to 50 VUs in 10 s, to 100 in 10 s more, 5 s to go; stress: 100 VUs for 5 min; spike: 10 to 500 VUs in
// a second; soak: 50 VUs for 30 min.
//
//   loadgen run flux-gate/flash-sale
//   loadgen run flux-gate/flash-sale --profile spike
//   loadgen run --demo flux-gate/flash-sale --vus 20 --duration 10s
//
// Variable        Default                 Meaning
// PROFILE         default                 the load: default, stress, spike, soak; smoke, load, average, endurance
// BASE_URL        http://localhost:3000   address of the ingestion API
// PRODUCT_ID      iphone-15               what is sold
// QUANTITY        100                     how many there are
// ORDERS_COMMAND  (not set)               prints how many orders there are, such as psql …; with --allow-exec
// STOCK_COMMAND   (not set)               prints what is left, such as redis-cli …; with --allow-exec
import http from 'k6/http';
import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { uuidv4 } from 'https://jslib.k6.io/k6-utils/1.4.0/index.js';
import { body, ok, unlessEmpty } from '../lib/checks.js';
import { address, number, text } from '../lib/env.js';
import { profiles as shared, selected } from '../lib/profiles.js';

export const profiles = {
  default: {
    scenarios: {
      flash_sale: {
        executor: 'ramping-vus',
        startVUs: 0,
        stages: [
          { duration: '10s', target: 50 },
          { duration: '10s', target: 100 },
          { duration: '5s', target: 0 },
        ],
        gracefulRampDown: '0s',
      },
    },
  },
  ...shared,
  stress: {
    scenarios: {
      stress: { executor: 'constant-vus', vus: 100, duration: '5m' },
    },
  },
  spike: {
    scenarios: {
      spike: {
        executor: 'ramping-vus',
        stages: [
          { duration: '10s', target: 10 },
          { duration: '1s', target: 500 },
          { duration: '10s', target: 500 },
          { duration: '1s', target: 10 },
        ],
      },
    },
  },
  soak: {
    scenarios: {
      soak: { executor: 'constant-vus', vus: 50, duration: '30m' },
    },
  },
};

export const options = {
  ...selected(profiles, 'default'),
  thresholds: {
    'http_req_duration{name:order}': ['p(50)<5', 'p(90)<10', 'p(95)<20', 'p(99)<50'],
    'http_req_failed{name:order}': ['rate==0'],
    checks: ['rate==1'],
    // These always hold: they are what makes the summary show how often each answer came.
    'http_reqs{name:order,status:200}': unlessEmpty('count>=0'),
    'http_reqs{name:order,status:302}': unlessEmpty('count>=0'),
    'http_reqs{name:order,status:409}': unlessEmpty('count>=0'),
  },
  summaryTrendStats: ['avg', 'min', 'p(50)', 'p(90)', 'p(95)', 'p(99)', 'max'],
};

const baseUrl = address('BASE_URL', 'http://localhost:3000');
const productId = text('PRODUCT_ID', 'iphone-15');
const quantity = number('QUANTITY', 100);

const sent = new Counter('orders_sent');
const accepted = new Counter('orders_accepted');
const rejected = new Counter('orders_rejected');
const rateLimited = new Counter('rate_limited');
const latency = new Trend('order_latency', true);

const rightAnswers = http.expectedStatuses(200, 302, 409);

/** Opens the sale. */
export function setup() {
  const params = { headers: { 'Content-Type': 'application/json' }, tags: { name: 'init' } };
  const response = http.post(`${baseUrl}/init`, JSON.stringify({ productId, quantity }), params);
  if (!ok(response)) {
    throw new Error(`the sale did not open: POST /init answered ${response.status} ${response.error}`);
  }
}

export default function () {
  const order = JSON.stringify({ productId, userId: uuidv4() });
  sent.add(1);
  const response = http.post(`${baseUrl}/order`, order, {
    headers: { 'Content-Type': 'application/json', 'x-idempotency-key': uuidv4() },
    redirects: 0,
    responseCallback: rightAnswers,
    tags: { name: 'order' },
  });
  latency.add(response.timings.duration);
  check(response, { 'valid response': (r) => [200, 302, 409].includes(r.status) });
  if (response.status === 200) {
    accepted.add(1);
  } else if (response.status === 409) {
    rejected.add(1);
  } else if (response.status === 302) {
    rateLimited.add(1);
  }
}

/** A number that a command prints. */
function printed(command) {
  // Only loadgen has this module, and only loadgen calls `verify`.
  const { exec } = require('loadgen/verify');
  const { stdout, stderr } = exec(command);
  if (!/^-?\d+$/.test(stdout.trim())) {
    throw new Error(`\`${command}\` printed no number: ${(stdout + stderr).trim()}`);
  }
  return Number(stdout);
}

/** A number in what the server answers. */
function told(path, field) {
  const response = http.get(`${baseUrl}${path}`, { tags: { name: 'verify' } });
  const found = body(response)[field];
  if (!Number.isInteger(found)) {
    const mend = 'ORDERS_COMMAND and STOCK_COMMAND can ask the databases instead';
    throw new Error(`the books cannot be read: GET ${path} answered ${response.status} without a number \`${field}\`; ${mend}`);
  }
  return found;
}

/** What the server has in its books, or its databases. */
function books() {
  const [ordersCommand, stockCommand] = [text('ORDERS_COMMAND'), text('STOCK_COMMAND')];
  return {
    orders: ordersCommand ? printed(ordersCommand) : told(`/orders?productId=${encodeURIComponent(productId)}`, 'count'),
    stock: stockCommand ? printed(stockCommand) : told(`/stock/${encodeURIComponent(productId)}`, 'stock'),
  };
}

/**
 * Whether the books agree with each other and with what the users were told. An order without an answer (the ramp down
 * breaks some off) may be in the books or not.
 */
export function audit({ orders, stock }, summary) {
  const count = (metric) => (summary.metrics[metric] ? summary.metrics[metric].values.count : 0);
  const told = count('orders_accepted');
  const soldOut = count('orders_rejected') > 0;
  const unanswered = count('orders_sent') - told - count('orders_rejected') - count('rate_limited');
  check(null, {
    [`no overselling: ${orders} orders of ${quantity} items`]: () => orders <= quantity,
    [`accepted orders are in the books: ${told} accepted, ${unanswered} unanswered, ${orders} orders`]: () =>
      told <= orders && orders <= told + unanswered,
    [`stock is what is left: ${stock} = ${quantity} - ${orders}`]: () => stock === quantity - orders,
  });
  if (soldOut) {
    check(null, {
      [`sold out: exactly ${quantity} orders and stock 0; found ${orders} and ${stock}`]: () =>
        orders === quantity && stock === 0,
    });
  }
}

export function verify(data, summary) {
  audit(books(), summary);
}
