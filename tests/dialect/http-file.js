// http_reqs: 2
// checks: 6
import http from 'k6/http';
import { check } from 'k6';

const data = open('./lib/data.json', 'b');

export default function () {
  const file = http.file(data, 'd.json', 'application/json');
  const unnamed = http.file('text');
  const r = http.post(`${__ENV.BASE}/post`, { field: 'x', file });
  const plain = http.post(`${__ENV.BASE}/post`, { file: unnamed });
  check(file, {
    'what it has': (f) => f.filename === 'd.json' && f.content_type === 'application/json' && f.data.byteLength === data.byteLength,
    'of itself': () => unnamed.content_type === 'application/octet-stream' && /^\d+$/.test(unnamed.filename),
  });
  check(r, {
    'a form of parts': (a) => a.json('headers.Content-Type').startsWith('multipart/form-data; boundary='),
    'the field': (a) => a.json('data').includes('Content-Disposition: form-data; name="field"\r\n\r\nx\r\n'),
    'the file': (a) => a.json('data').includes('name="file"; filename="d.json"\r\nContent-Type: application/json\r\n\r\n{ "list": [1, 2] }'),
  });
  check(plain, { 'its name is a time': (a) => /filename="\d+"/.test(a.json('data')) });
}
