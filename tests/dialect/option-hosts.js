// http_reqs: 3
// checks: 3
import http from 'k6/http';
import { check } from 'k6';

const [ip, port] = __ENV.BASE.replace('http://', '').split(':');

export const options = { hosts: { 'shop.test': `${ip}:${port}`, '*.wild.test': ip, 'exact.test:8080': `${ip}:${port}` } };

// Names are looked up in the options first; the request says the name that was asked for.
export default function () {
  const host = (url) => http.get(url).json('headers.Host');
  check(null, {
    'a name with a port': () => host('http://shop.test/get') === 'shop.test',
    'a pattern': () => host(`http://a.wild.test:${port}/get`) === `a.wild.test:${port}`,
    'a name on one port': () => host('http://exact.test:8080/get') === 'exact.test:8080',
  });
}
