// iterations: 1
// http_reqs: 4
// checks: 6
// says: request failed
import http from 'k6/http';
import { check } from 'k6';
import { thrown } from './lib/thrown.js';

// A body that is null has no JSON, and is no page.
export default function () {
  const failed = http.get(`${__ENV.BASE}/drop`);
  const none = http.get(`${__ENV.BASE}/get`, { responseType: 'none' });
  const empty = http.get(`${__ENV.BASE}/status/204`);
  check(failed, {
    'json() throws': (r) => thrown(() => r.json()).startsWith("the body is null so we can't transform it to JSON"),
    'json(selector) throws': (r) => thrown(() => r.json('a')).startsWith("the body is null so we can't transform it to JSON"),
    'html() throws': (r) => thrown(() => r.html()).startsWith("the body is null so we can't transform it to HTML"),
    'a body that was dropped': () => none.body === null && thrown(() => none.json()).startsWith('the body is null'),
    'no content': () => empty.status === 204 && empty.body === null,
    'no JSON': () => thrown(() => http.get(`${__ENV.BASE}/html`).json()) !== 'nothing',
  });
}
