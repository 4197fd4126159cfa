// checks: 12
// says: request failed
import http from 'k6/http';
import { check } from 'k6';

export const options = { blacklistIPs: ['10.0.0.0/8'], blockHostnames: ['blocked.test'] };

export default function () {
  const code = (url, params) => http.get(url, params).error_code;
  const at = (path, params) => code(`${__ENV.BASE}${path}`, params);
  check(null, {
    'no answer is 1000': () => at('/drop') === 1000,
    'a body that is cut off is 1000': () => at('/cut') === 1000,
    'no URL is 1020': () => code('http://[::1') === 1020,
    'no scheme is 1000': () => code('shop.test/get') === 1000,
    'too long is 1050': () => at('/delay/5000', { timeout: '100ms' }) === 1050,
    'a blocked address is 1110': () => code('http://10.1.2.3/') === 1110,
    'a blocked name is 1111': () => code('http://blocked.test/') === 1111,
    'nobody there is 1212': () => code('http://127.0.0.1:1/') === 1212,
    'an authority nobody knows is 1310': () => code(`${__ENV.TLS}/get`) === 1310,
    'a status is 1000 and itself': () => at('/status/404') === 1404 && at('/status/503') === 1503,
    'what went well has none': () => at('/get') === 0 && at('/status/302', { redirects: 0 }) === 0,
    'a message says it too': () => /timeout/.test(http.get(`${__ENV.BASE}/delay/5000`, { timeout: '50ms' }).error),
  });
}
