// iterations: 1
// http_reqs: 3
// checks: 4
import http from 'k6/http';
import { check } from 'k6';

const picture = open('./lib/people.csv', 'b');
const text = open('./lib/data.json');

export default function () {
  const form = { name: 'people', count: 2, file: http.file(picture, 'people.csv', 'text/csv') };
  const sent = http.post(`${__ENV.BASE}/post`, form);
  check(sent, {
    'as a form of parts': (r) => r.request.headers['Content-Type'][0].startsWith('multipart/form-data; boundary='),
    'with its parts': (r) => ['name="file"; filename="people.csv"', 'Content-Type: text/csv', 'name="count"'].every((part) => r.json('data').includes(part)),
  });
  check(http.put(`${__ENV.BASE}/put`, picture, { headers: { 'Content-Type': 'application/octet-stream' } }), {
    'the bytes alone': (r) => r.json('data').length > 0 && r.json('headers.Content-Type') === 'application/octet-stream',
  });
  check(http.post(`${__ENV.BASE}/post`, text, { headers: { 'Content-Type': 'application/json' }, compression: 'gzip' }), {
    'compressed': (r) => r.json('headers.Content-Encoding') === 'gzip',
  });
}
