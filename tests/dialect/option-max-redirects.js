// http_reqs: 4
// checks: 2
import http from 'k6/http';
import { check } from 'k6';

export const options = { maxRedirects: 2 };

export default function () {
  check(http.get(`${__ENV.BASE}/redirect/5`), { 'as far as is allowed': (r) => r.status === 302 && r.url === `${__ENV.BASE}/redirect/3` });
  check(http.get(`${__ENV.BASE}/redirect/5`, { redirects: 0 }), { 'or as the request says': (r) => r.url === `${__ENV.BASE}/redirect/5` });
}
