// iterations: 1
// http_reqs: 1
// checks: 4
import http, { OCSP_STATUS_GOOD, TLS_1_3 } from 'k6/http';
import { check } from 'k6';

export default function () {
  const answer = http.get(`${__ENV.BASE}/get`);
  check(answer, {
    versions: () => [http.SSL_3_0, http.TLS_1_0, http.TLS_1_1, http.TLS_1_2, TLS_1_3].join() === 'ssl3.0,tls1.0,tls1.1,tls1.2,tls1.3',
    statuses: () => [OCSP_STATUS_GOOD, http.OCSP_STATUS_REVOKED, http.OCSP_STATUS_SERVER_FAILED, http.OCSP_STATUS_UNKNOWN].join() === 'good,revoked,server_failed,unknown',
    reasons: () => [http.OCSP_REASON_KEY_COMPROMISE, http.OCSP_REASON_AA_COMPROMISE, http.OCSP_REASON_UNSPECIFIED].join() === 'key_compromise,aa_compromise,unspecified',
    'without TLS there is no status': (r) => r.ocsp.status === '' && r.ocsp.produced_at === 0 && r.tls_version === '',
  });
}
