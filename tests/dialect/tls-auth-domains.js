// http_reqs: 1
// checks: 1
// says: request failed
import http from 'k6/http';
import { check } from 'k6';

export const options = {
  insecureSkipTLSVerify: true,
  tlsAuth: [{ domains: ['*.shop.test'], cert: __ENV.CERT, key: __ENV.OLD_KEY, password: 'secret' }],
};

// It is for other hosts; the key is encrypted as OpenSSL did before PKCS #8, by triple DES.
export default function () {
  check(http.get(`${__ENV.MUTUAL}/get`), { 'the certificate is not shown': (r) => r.status === 0 && r.error_code >= 1000 });
}
