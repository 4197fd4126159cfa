// config: {"iterations": 9}
// env: K6_ITERATIONS=3
// env: K6_USER_AGENT=theirs/1
// env: LOADGEN_USER_AGENT=ours/1
// env: K6_TAGS=from=environment
// iterations: 3
// samples iterations{from:environment}: 3
// checks: 3
import http from 'k6/http';
import { check } from 'k6';

export const options = { iterations: 5, userAgent: 'script/1' };

export default function () {
  check(http.get(`${__ENV.BASE}/get`), { 'of the environment, ours first': (r) => r.json('headers.User-Agent') === 'ours/1' });
}
