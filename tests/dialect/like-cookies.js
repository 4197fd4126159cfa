// iterations: 2
// http_reqs: 8
// checks: 8
import http from 'k6/http';
import { check } from 'k6';

export const options = { iterations: 2 };

export default function () {
  // Cookies of one request.
  const own = http.get(`${__ENV.BASE}/cookies`, { cookies: { theme: 'dark', size: 12 } });
  check(own, { 'sent with the request': (r) => r.json('cookies.theme') === 'dark' && r.json('cookies.size') === '12' });

  // Cookies of the virtual user's jar, which each iteration begins anew.
  const jar = http.cookieJar();
  jar.set(`${__ENV.BASE}/cookies`, 'session', `s-${__ITER}`, { path: '/cookies', max_age: 600 });
  const sent = http.get(`${__ENV.BASE}/cookies`);
  check(sent, { 'sent from the jar': (r) => r.json('cookies.session') === `s-${__ITER}` && r.json('cookies.theme') === undefined });
  check(http.get(`${__ENV.BASE}/get`), { 'but not elsewhere': (r) => Object.keys(r.json('cookies')).length === 0 });

  // A jar of its own.
  const other = new http.CookieJar();
  other.set(__ENV.BASE, 'mine', 'yes');
  const apart = http.get(`${__ENV.BASE}/cookies`, { jar: other });
  check(apart, { 'another jar': (r) => JSON.stringify(r.json('cookies')) === '{"mine":"yes"}' });
}
