// http_reqs: 12
// iterations: 12
// checks: 12
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';

export const options = {
  discardResponseBodies: true,
  scenarios: {
    readers: { executor: 'shared-iterations', vus: 2, iterations: 5, exec: 'read', env: { PART: 'get' }, tags: { kind: 'r' } },
    writers: { executor: 'per-vu-iterations', vus: 2, iterations: 2, exec: 'write', startTime: '200ms', gracefulStop: '5s', tags: { kind: 'w' } },
    steady: { executor: 'constant-arrival-rate', rate: 3, timeUnit: '1s', duration: '1s', preAllocatedVUs: 5 },
  },
  thresholds: {
    'http_reqs{scenario:readers}': ['count==5'],
    'http_reqs{kind:w}': ['count==4'],
    'iterations{scenario:steady}': ['count==3'],
  },
};

export function read() {
  const answer = http.get(`${__ENV.BASE}/${__ENV.PART}`);
  check(answer, { reads: (r) => r.status === 200 && r.body === null && exec.scenario.name === 'readers' });
}

export function write() {
  const answer = http.post(`${__ENV.BASE}/post`, { vu: exec.vu.idInTest }, { responseType: 'text' });
  check(answer, { writes: (r) => Number(r.json('form.vu')) === __VU && __ENV.PART === undefined });
}

export default function () {
  check(http.get(`${__ENV.BASE}/get`), { steady: (r) => r.status === 200 && exec.scenario.executor === 'constant-arrival-rate' });
}
