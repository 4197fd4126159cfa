// http_reqs: 16
// checks: 8
// samples http_reqs{method:PATCH}: 2
import http, { get, head, post, put, patch, del, options as ask, request } from 'k6/http';
import { check } from 'k6';

export default function () {
  const url = `${__ENV.BASE}/any`;
  const params = { headers: { 'X-A': 'a' } };
  const said = (r) => `${r.json('method')} ${r.json('data')} ${r.json('headers.X-A')}`;
  check(null, {
    get: () => said(get(url, params)) === 'GET  a' && said(http.get(url, params)) === 'GET  a',
    post: () => said(post(url, 'x', params)) === 'POST x a' && said(http.post(url, 'x', params)) === 'POST x a',
    put: () => said(put(url, 'x', params)) === 'PUT x a' && said(http.put(url, 'x', params)) === 'PUT x a',
    patch: () => said(patch(url, 'x', params)) === 'PATCH x a' && said(http.patch(url, 'x', params)) === 'PATCH x a',
    del: () => said(del(url, null, params)) === 'DELETE  a' && said(http.del(url, 'x', params)) === 'DELETE x a',
    options: () => said(ask(url, null, params)) === 'OPTIONS  a' && said(http.options(url, 'x', params)) === 'OPTIONS x a',
    head: () => head(url, params).status === 200 && http.head(url).headers['Content-Length'] > 0,
    request: () => said(request('purge', url, 'x', params)) === 'PURGE x a' && said(http.request('PURGE', url)) === 'PURGE  undefined',
  });
}
