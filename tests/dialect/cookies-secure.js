// iterations: 1
// http_reqs: 3
// checks: 4
import http from 'k6/http';
import { check } from 'k6';

// Secure cookies need TLS, even to this machine.
export default function () {
  const jar = http.cookieJar();
  const answer = http.get(`${__ENV.BASE}/cookies/set?plain=1&safe=2;Secure&gone=3;Max-Age=-1`);
  check(answer, { 'only the plain one is sent': (r) => JSON.stringify(r.json().cookies) === '{"plain":"1"}' });
  const safe = __ENV.BASE.replace('http:', 'https:');
  jar.set(safe, 'later', '1', { SECURE: true, path: '/', max_age: 0 });
  check(jar, {
    'nor shown for plain': (j) => j.cookiesForURL(__ENV.BASE).later === undefined,
    'but for TLS': (j) => j.cookiesForURL(safe).later[0] === '1',
  });
  jar.clear(safe);
  check(http.get(`${__ENV.BASE}/cookies`), { 'all are gone': (r) => Object.keys(r.json().cookies).length === 0 });
}
