// http_reqs: 8
// checks: 8
import http from 'k6/http';
import { check } from 'k6';

const text = 'again and '.repeat(50);

export default function () {
  const sent = (compression) => http.post(`${__ENV.BASE}/post`, text, { compression });
  const got = (kind) => http.get(`${__ENV.BASE}/${kind}`);
  const bare = (r) => Number(r.json('headers.Content-Length')) < text.length;
  for (const kind of ['gzip', 'deflate', 'br', 'zstd']) {
    check(sent(kind), { 'requests are compressed': (r) => r.json('headers.Content-Encoding') === kind && bare(r) });
  }
  check(null, {
    'answers by gzip': () => got('gzip').json('method') === 'GET',
    'and deflate': () => got('deflate').json('method') === 'GET',
    'and brotli': () => got('brotli').json('method') === 'GET',
    'and zstd': () => got('zstd').json('method') === 'GET',
  });
}
