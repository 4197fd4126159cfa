// http_reqs: 2
// checks: 4
import http from 'k6/http';
import { check } from 'k6';

export const options = { insecureSkipTLSVerify: true };

export default function () {
  const first = http.get(`${__ENV.TLS}/delay/60`);
  const second = http.get(`${__ENV.TLS}/delay/60`);
  check(first.timings, {
    'the first connects': (t) => t.connecting > 0 && t.tls_handshaking > 0 && t.blocked >= 0,
    'and waits': (t) => t.waiting >= 55 && t.duration >= t.waiting && t.duration < t.waiting + t.sending + t.receiving + 0.01,
  });
  check(second.timings, { 'the second need not': (t) => t.connecting === 0 && t.tls_handshaking === 0 });
  check(second, { 'what was spoken': (r) => r.proto === 'HTTP/1.1' && r.tls_version === 'tls1.3' && r.tls_cipher_suite.startsWith('TLS_') });
}
