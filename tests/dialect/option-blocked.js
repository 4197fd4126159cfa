// http_reqs: 3
// checks: 3
// says: request failed
import http from 'k6/http';
import { check } from 'k6';

export const options = { blacklistIPs: ['127.0.0.0/8'], blockHostnames: ['*.blocked.test', 'Exact.test'] };

export default function () {
  check(null, {
    'an address': () => http.get(`${__ENV.BASE}/get`).error_code === 1110,
    'a pattern of names': () => http.get('http://a.blocked.test/').error_code === 1111,
    'a name in any case': () => http.get('http://EXACT.test/').error_code === 1111,
  });
}
