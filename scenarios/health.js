// Health: GET / on wallet, store and spawn
//
// 1 to 50 to 100 VUs over 60 s, 100 VUs for 60 s, 10 s to go. The services are asked in turn and told apart by the tag
// `service`, so the summary has the percentiles and the request rate of each.
//
//   loadgen run health
//   loadgen run health --env WALLET_URL=https://wallet.prim.sh --env STORE_URL=https://store.prim.sh
//   loadgen run health --vus 20 --duration 10s
//   loadgen run health --profile smoke
//
// Variable     Default                 Meaning
// PROFILE      default                 the load: default (as above), smoke, load, average, stress, soak, spike, endurance
// WALLET_URL   http://localhost:3001   address of wallet
// STORE_URL    http://localhost:3002   address of store
// SPAWN_URL    (not set)               address of spawn; without it spawn is left out
// ACCEPT_402   false                   true: 402 from the payment layer is an expected answer
// THINK_TIME   0                       seconds that a VU pauses after each request
import { trendStats, unlessEmpty } from './lib/checks.js';
import { healthCheck, services, think } from './lib/prim.js';
import { profiles as shared, selected } from './lib/profiles.js';

export const profiles = {
  default: {
    stages: [
      { duration: '30s', target: 50 },
      { duration: '30s', target: 100 },
      { duration: '60s', target: 100 },
      { duration: '10s', target: 0 },
    ],
  },
  ...shared,
};

const thresholds = {
  http_req_duration: ['p(95)<200'],
  http_req_failed: ['rate<0.001'],
};
for (const { name } of services) {
  thresholds[`http_req_duration{service:${name}}`] = unlessEmpty('p(95)<200');
  thresholds[`http_req_failed{service:${name}}`] = unlessEmpty('rate<0.001');
  // Always holds: it is what makes the summary show the count and the rate of each service.
  thresholds[`http_reqs{service:${name}}`] = unlessEmpty('count>=0');
}

export const options = {
  ...selected(profiles, 'default'),
  thresholds,
  summaryTrendStats: trendStats,
};

export default function () {
  healthCheck();
  think();
}
