// env: K6_ITERATIONS=3
// env: K6_USER_AGENT=theirs/1
// args: -i 2 --user-agent flag/1
// iterations: 2
// checks: 2
import http from 'k6/http';
import { check } from 'k6';

export const options = { iterations: 5, userAgent: 'script/1' };

export default function () {
  check(http.get(`${__ENV.BASE}/get`), { 'of the flags': (r) => r.json('headers.User-Agent') === 'flag/1' });
}
