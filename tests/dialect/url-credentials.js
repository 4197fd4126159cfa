// iterations: 1
// http_reqs: 4
// checks: 4
import http from 'k6/http';
import { check } from 'k6';

// What a URL says of its user goes on to links and forms.
export default function () {
  const base = __ENV.BASE.replace('//', '//user:passwd@');
  const page = http.get(`${base}/html`);
  const known = (answer) => answer.json().headers.Authorization === 'Basic dXNlcjpwYXNzd2Q=';
  check(page, {
    'the address is the one given': (r) => r.url === `${base}/html` && r.request.url === `${base}/html`,
    'a form': (r) => known(r.submitForm()),
    'a link': (r) => known(r.clickLink({ selector: '#more' })),
    'nobody else': () => http.get(`${__ENV.BASE}/get`).json().headers.Authorization === undefined,
  });
}
