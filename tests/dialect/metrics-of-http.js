// http_reqs: 4
// samples http_req_duration: 4
// samples http_req_blocked: 4
// samples http_req_connecting: 4
// samples http_req_tls_handshaking: 4
// samples http_req_sending: 4
// samples http_req_waiting: 4
// samples http_req_receiving: 4
// samples http_req_failed: 4
// sum http_req_failed: 1
// value http_req_failed.value: 0.25
// value http_req_failed.passes: 1
// value http_req_failed.fails: 3
// data_sent: >=300
// data_received: >=3000
// checks: 4
import http from 'k6/http';
import { check } from 'k6';

export default function () {
  for (const path of ['get', 'bytes/3000', 'status/404', 'delay/50']) {
    const answer = http.get(`${__ENV.BASE}/${path}`, { responseType: 'binary' });
    check(answer.timings, {
      'the duration is what follows the connection': (t) => Math.abs(t.duration - t.sending - t.waiting - t.receiving) < 0.01 && t.duration > 0,
    });
  }
}
