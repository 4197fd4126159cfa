// http_reqs: 8
// checks: 1
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';

// Eight at ten a second, whoever sends them.
export const options = { rps: 10, vus: 4, iterations: 8 };

export default function () {
  http.get(`${__ENV.BASE}/get`);
}

export function teardown() {
  check(exec.instance.currentTestRunDuration, { 'they take their time': (ms) => ms >= 600 });
}
