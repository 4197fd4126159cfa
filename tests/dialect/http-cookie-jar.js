// http_reqs: 5
// checks: 7
import http from 'k6/http';
import { check } from 'k6';

export default function () {
  const url = __ENV.BASE;
  const jar = http.cookieJar();
  jar.set(url, 'a', '1', { path: '/' });
  jar.set(`${url}/deep`, 'deep', '1', { path: '/deep' });
  const set = http.get(`${url}/cookies/set?b=2;HttpOnly`, { redirects: 0 });
  check(null, {
    'sent where they belong': () => Object.keys(http.get(`${url}/cookies`).json('cookies')).sort().join() === 'a,b',
    'with their path': () => http.get(`${url}/deep/er`).json('cookies.deep') === '1',
    'told for an address': () => jar.cookiesForURL(`${url}/deep`).deep[0] === '1',
    'of the answer': () => set.cookies.b[0].value === '2' && set.cookies.b[0].name === 'b' && set.cookies.b[0].path === '/' && set.cookies.b[0].http_only === true,
    'one is removed': () => (jar.delete(url, 'a'), jar.cookiesForURL(url).a === undefined),
    'all are removed': () => (jar.clear(url), Object.keys(jar.cookiesForURL(url)).length === 0),
    'none is sent': () => Object.keys(http.get(`${url}/cookies`, { jar: new http.CookieJar() }).json('cookies')).length === 0,
  });
  http.get(url);
}
