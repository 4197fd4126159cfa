// iterations: 1
// http_reqs: 25
// checks: 20
import http from 'k6/http';
import { check, group } from 'k6';

const base = __ENV.BASE;

export default function () {
  const json = (answer) => answer.json();
  group('verbs', () => {
    check(http.get(`${base}/get?a=1&b=x`), { get: (r) => json(r).args.b === 'x' });
    check(http.post(`${base}/post`, { a: '1', b: 'two' }), { 'a form': (r) => json(r).form.b === 'two' });
    check(http.put(`${base}/put`, JSON.stringify({ a: [1] }), { headers: { 'Content-Type': 'application/json' } }), {
      json: (r) => json(r).json.a[0] === 1,
    });
    check(http.patch(`${base}/patch`, 'text'), { text: (r) => json(r).data === 'text' });
    check(http.del(`${base}/delete`), { del: (r) => json(r).method === 'DELETE' });
    check(http.options(`${base}/any`), { options: (r) => json(r).method === 'OPTIONS' });
    check(http.head(`${base}/get`), { head: (r) => r.status === 200 && !r.body });
    check(http.request('MKCOL', `${base}/any`), { 'any other': (r) => json(r).method === 'MKCOL' });
  });
  group('redirects', () => {
    // Four requests each, and one.
    check(http.get(`${base}/redirect/3`), { followed: (r) => r.url === `${base}/get` && r.status === 200 });
    check(http.get(`${base}/redirect/3`, { redirects: 0 }), { 'not followed': (r) => r.status === 302 && r.headers.Location === '/redirect/2' });
  });
  group('cookies', () => {
    check(http.get(`${base}/cookies/set?k=v&l=w`), { 'set and sent': (r) => json(r).cookies.l === 'w' });
    const jar = http.cookieJar();
    check(jar.cookiesForURL(base), { 'in the jar': (c) => c.k[0] === 'v' });
    check(http.get(`${base}/cookies`, { cookies: { k: { value: 'new', replace: true }, extra: 'e' } }), {
      'replaced for a request': (r) => json(r).cookies.k === 'new' && json(r).cookies.extra === 'e',
    });
  });
  group('answers', () => {
    check(http.get(`${base}/gzip`), { gzip: (r) => json(r).method === 'GET' && r.headers['Content-Encoding'] === 'gzip' });
    check(http.get(`${base}/bytes/5`, { responseType: 'binary' }), { binary: (r) => new Uint8Array(r.body)[4] === 4 });
    check(http.get(`${base}/html`), { selected: (r) => r.html('li').eq(1).text() === 'two' && r.html().find('title').text() === 'Room' });
    check(http.get(base.replace('//', '//user:passwd@') + '/basic-auth/user/passwd'), { 'basic auth': (r) => r.status === 200 });
    check(http.get(`${base}/delay/2000`, { timeout: '50ms' }), { timeout: (r) => r.status === 0 && r.error_code === 1050 });
    check(http.get(`${base}/drop`), { dropped: (r) => r.status === 0 && r.error !== '' });
  });
  const all = http.batch([`${base}/get`, ['POST', `${base}/post`, 'x'], { method: 'GET', url: `${base}/status/404` }]);
  check(all, { batch: (r) => r.length === 3 && r[1].json('data') === 'x' && r[2].status === 404 });
}
