// iterations: 4
// http_reqs: 6
// checks: 5
// setups: 1
import http from 'k6/http';
import { check } from 'k6';
import { Counter } from 'k6/metrics';

export const options = {
  vus: 2,
  iterations: 4,
  thresholds: { 'http_reqs{group:::setup}': ['count==1'], 'http_reqs{group:::teardown}': ['count==1'] },
};

const setups = new Counter('setups');

export function setup() {
  setups.add(1);
  const answer = http.post(`${__ENV.BASE}/post`, JSON.stringify({ token: 'abc' }));
  return { token: answer.json().json.token, made: [1, 2, { deep: true }], nothing: undefined };
}

export default function (data) {
  const answer = http.get(`${__ENV.BASE}/get`, { headers: { Authorization: `Bearer ${data.token}` } });
  check(answer, { 'the token is sent': (r) => r.json('headers.Authorization') === 'Bearer abc' && data.made[2].deep && !('nothing' in data) });
  // What one iteration changes, the others do not see.
  data.token = data.token === 'abc' ? 'abc' : 'changed';
}

export function teardown(data) {
  check(http.del(`${__ENV.BASE}/delete`), { 'torn down': (r) => r.json('method') === 'DELETE' && data.token === 'abc' });
}
