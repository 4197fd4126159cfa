// http_reqs: 2
// checks: 2
import http from 'k6/http';
import { check } from 'k6';

export const options = { userAgent: 'mine/1.0' };

export default function () {
  const agent = (params) => http.get(`${__ENV.BASE}/get`, params).json('headers.User-Agent');
  check(null, {
    'of the options': () => agent() === 'mine/1.0',
    'of the request': () => agent({ headers: { 'User-Agent': 'other/2' } }) === 'other/2',
  });
}
