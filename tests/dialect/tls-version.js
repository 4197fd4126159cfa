// iterations: 1
// http_reqs: 1
// checks: 3
import http from 'k6/http';
import { check } from 'k6';

export const options = { insecureSkipTLSVerify: true, tlsVersion: http.TLS_1_2 };

export default function () {
  const answer = http.get(`${__ENV.TLS}/get`);
  check(answer, {
    tls_version: (r) => r.tls_version === http.TLS_1_2,
    tls_cipher_suite: (r) => r.tls_cipher_suite.startsWith('TLS_ECDHE_'),
    'nothing is stapled': (r) => r.ocsp.status === http.OCSP_STATUS_UNKNOWN,
  });
}
