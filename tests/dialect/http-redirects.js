// http_reqs: 13
// checks: 6
// samples http_reqs{status:302}: 8
import http from 'k6/http';
import { check } from 'k6';

export default function () {
  const url = (path) => `${__ENV.BASE}${path}`;
  const kept = http.post(url('/redirect-to?status=307&url=/post'), 'x', { headers: { 'X-A': 'a' } });
  const turned = http.post(url('/redirect-to?status=302&url=/any'), 'x');
  check(null, {
    'followed to the end': () => http.get(url('/redirect/4')).url === url('/get'),
    'a limit of one request': () => http.get(url('/redirect/4'), { redirects: 1 }).url === url('/redirect/3'),
    'POST becomes GET': () => turned.json('method') === 'GET' && turned.json('data') === '',
    'unless the status keeps it': () => kept.json('method') === 'POST' && kept.json('data') === 'x' && kept.json('headers.X-A') === 'a',
    'the request is the last one': () => turned.request.method === 'GET' && turned.request.url === url('/any'),
  });
  check(http.get(url('/redirect-to?status=302&url=/cookies')), { 'relative places': (r) => r.status === 200 });
}
