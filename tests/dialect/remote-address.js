// iterations: 1
// http_reqs: 1
// checks: 2
import http from 'k6/http';
import { check } from 'k6';

export default function () {
  const answer = http.get(`${__ENV.BASE}/get`);
  check(answer, {
    remote_ip: (r) => r.remote_ip === '127.0.0.1',
    remote_port: (r) => `http://127.0.0.1:${r.remote_port}` === __ENV.BASE,
  });
}
