// http_reqs: 3
// checks: 6
import http from 'k6/http';
import { check } from 'k6';

export default function () {
  const sent = http.get(`${__ENV.BASE}/get`, { headers: { 'x-lower-case': 'a', 'X-NUMBER': 5, Host: 'other.test' } });
  const got = http.get(`${__ENV.BASE}/response-headers?x-one=1&X-TWO=a&x-two=b&etag=x`);
  const moved = http.get(`${__ENV.BASE}/redirect/1`, { redirects: 0 });
  check(sent, {
    'names are in canonical case': (r) => r.json('headers.X-Lower-Case') === 'a' && r.json('headers.X-Number') === '5',
    'a host of its own': (r) => r.json('headers.Host') === 'other.test',
    'the request tells them': (r) => r.request.headers['X-Lower-Case'][0] === 'a',
  });
  check(got, {
    'of the answer, too': (r) => r.headers['X-One'] === '1' && r.headers.Etag === 'x',
    'several are joined': (r) => r.headers['X-Two'] === 'a, b',
    'a place': () => moved.headers.Location === '/get',
  });
}
