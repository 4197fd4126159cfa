// iterations: 2
// http_reqs: 3
// checks: 2
import http from 'k6/http';
import { check } from 'k6';

export const options = { noCookiesReset: true, vus: 1, iterations: 2 };

export default function () {
  if (__ITER === 0) {
    check(http.get(`${__ENV.BASE}/cookies/set?k=v`), { 'sent at once': (r) => r.json().cookies.k === 'v' });
  } else {
    check(http.get(`${__ENV.BASE}/cookies`), { 'and in the next iteration': (r) => r.json().cookies.k === 'v' });
  }
}
