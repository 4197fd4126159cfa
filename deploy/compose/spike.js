// The spike of `docker compose up`: from little, to two and a half times what the server bears, and back
//
// Requests begin at a rate, whatever the answers take. So the server's queue grows as soon as its half a CPU is used up:
// latency climbs first, then answers of 503 begin, and when the load falls the queue empties and all is as it was. Meanwhile
// one user comes by once a second.
import http from 'k6/http';
import { check, sleep } from 'k6';

export const options = {
  scenarios: {
    spike: {
      executor: 'ramping-arrival-rate',
      startRate: 20,
      preAllocatedVUs: 100,
      maxVUs: 400,
      gracefulStop: '10s',
      stages: [
        { target: 20, duration: '15s' },
        { target: 500, duration: '30s' },
        { target: 500, duration: '15s' },
        { target: 20, duration: '10s' },
        { target: 20, duration: '20s' },
      ],
    },
    user: { executor: 'constant-vus', vus: 1, duration: '90s', gracefulStop: '10s', exec: 'user' },
  },
  thresholds: {
    http_req_duration: ['p(95)<500'],
    http_req_failed: ['rate<0.01'],
  },
};

const services = { wallet: __ENV.WALLET_URL, store: __ENV.STORE_URL };
const names = Object.keys(services);

export default function () {
  const service = names[__ITER % names.length];
  const response = http.get(`${services[service]}/`, { tags: { service, name: `GET ${service}` }, timeout: '10s' });
  check(response, { 'status is 200': (r) => r.status === 200 });
}

export function user() {
  http.get(`${services.wallet}/`, { tags: { service: 'wallet', name: 'GET wallet' }, timeout: '10s' });
  sleep(1);
}
