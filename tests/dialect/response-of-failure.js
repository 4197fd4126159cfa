// iterations: 1
// http_reqs: 1
// checks: 6
// says: Request Failed
import http from 'k6/http';
import { check } from 'k6';

// What failed is a Response as any other, with nothing in it.
export default function () {
  const failed = http.get(`${__ENV.BASE}/drop`);
  const refused = http.get(`${__ENV.BASE}/get`, { timeout: 'soon' });
  for (const answer of [failed, refused]) {
    check(answer, {
      nothing: (r) => r.status === 0 && r.status_text === '' && r.body === null && Object.keys(r.headers).length === 0,
      timings: (r) => ['duration', 'blocked', 'looking_up', 'connecting', 'tls_handshaking', 'sending', 'waiting', 'receiving']
        .every((phase) => typeof r.timings[phase] === 'number'),
      methods: (r) => ['json', 'html', 'submitForm', 'clickLink'].every((name) => typeof r[name] === 'function'),
    });
  }
}
