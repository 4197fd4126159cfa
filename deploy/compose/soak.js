// The soak of `docker compose --profile soak up`: hours of a load that the server bears well, but for what it forgets
//
// Twice a second something is stored under a new key and never deleted, so the server's memory fills. Alerts foresee that
// from the second hour on (LoadgenTargetMemoryLeak), long before the 256 MB are full.
//
// Variable       Default   Meaning
// SOAK_DURATION  4h        how long
// SOAK_RATE      50        requests per second; the server bears some 200
// SOAK_LEAK      8         KB stored with each of two keys per second; 0 for a server that forgets nothing
import http from 'k6/http';
import { check } from 'k6';

const duration = __ENV.SOAK_DURATION || '4h';
const rate = Number(__ENV.SOAK_RATE || 50);
const leak = Number(__ENV.SOAK_LEAK || 8);

export const options = {
  scenarios: {
    steady: { executor: 'constant-arrival-rate', rate, duration, preAllocatedVUs: 20, maxVUs: 100, exec: 'steady' },
    ...(leak > 0 && {
      leak: { executor: 'constant-arrival-rate', rate: 2, duration, preAllocatedVUs: 2, maxVUs: 10, exec: 'store' },
    }),
  },
  thresholds: {
    http_req_duration: [{ threshold: 'p(95)<200', over: '1m' }],
    http_req_failed: [{ threshold: 'rate<0.01', over: '1m' }],
  },
};

const value = 'x'.repeat(leak * 1024);

export function steady() {
  const response = http.get(`${__ENV.WALLET_URL}/`, { tags: { name: 'GET wallet' } });
  check(response, { 'status is 200': (r) => r.status === 200 });
}

export function store() {
  const body = JSON.stringify({ key: `soak-${__VU}-${__ITER}-${Date.now()}`, value });
  const params = { headers: { 'Content-Type': 'application/json' }, tags: { name: 'POST store' } };
  const response = http.post(`${__ENV.STORE_URL}/v1/set`, body, params);
  check(response, { stored: (r) => r.status === 200 });
}
