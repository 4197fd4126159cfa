// iterations: 1
// http_reqs: 2
// checks: 7
import http from 'k6/http';
import { check } from 'k6';

// A Response as JSON has the dialect's fields, also where setup() hands it on.
export function setup() {
  return http.post(`${__ENV.BASE}/post`, 'x', { headers: { 'X-A': '1' } });
}

export default function (given) {
  const answer = http.get(`${__ENV.BASE}/get?a=1`);
  const read = JSON.parse(JSON.stringify({ answer })).answer;
  const fields = [
    'remote_ip', 'remote_port', 'url', 'status', 'status_text', 'proto', 'headers', 'cookies', 'body', 'timings', 'tls_version',
    'tls_cipher_suite', 'ocsp', 'error', 'error_code', 'request',
  ];
  check(given, {
    status: (r) => r.status === 200 && r.status_text === '200 OK' && r.error === '' && r.error_code === 0,
    body: (r) => JSON.parse(r.body).data === 'x',
    headers: (r) => r.headers['Content-Type'] === 'application/json',
    request: (r) => r.request.method === 'POST' && r.request.body === 'x' && r.request.headers['X-A'][0] === '1',
    timings: (r) => r.timings.duration > 0 && r.timings.looking_up === 0,
    url: (r) => r.url === `${__ENV.BASE}/post`,
  });
  check(read, { 'all fields, in order': (r) => Object.keys(r).join() === fields.join() && r.url === answer.url });
}
