// http_reqs: 3
// checks: 3
import http from 'k6/http';
import { check } from 'k6';

export const options = { discardResponseBodies: true };

export default function () {
  const get = (params) => http.get(`${__ENV.BASE}/get`, params);
  check(null, {
    'no body': () => get().body === null,
    'unless it is asked for': () => get({ responseType: 'text' }).json('method') === 'GET',
    'also as bytes': () => get({ responseType: 'binary' }).body instanceof ArrayBuffer,
  });
}
