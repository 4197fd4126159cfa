// http_reqs: 5
// checks: 5
import http from 'k6/http';
import { check } from 'k6';

export default function () {
  const get = (path, responseType) => http.get(`${__ENV.BASE}/${path}`, { responseType });
  check(null, {
    text: () => typeof get('get', 'text').body === 'string',
    binary: () => new Uint8Array(get('bytes/300', 'binary').body)[299] === 43,
    none: () => get('bytes/300', 'none').body === null,
    'text is the rule': () => typeof http.get(`${__ENV.BASE}/get`).body === 'string',
    'in pieces': () => get('stream/5', 'text').body === '0\n1\n2\n3\n4\n',
  });
}
