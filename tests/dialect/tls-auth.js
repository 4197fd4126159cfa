// http_reqs: 2
// checks: 2
import http from 'k6/http';
import { check } from 'k6';

export const options = {
  insecureSkipTLSVerify: true,
  tlsAuth: [{ cert: __ENV.CERT, key: __ENV.KEY, password: 'secret' }],
};

// The server wants a certificate; its key is encrypted, as PKCS #8.
export default function () {
  check(http.get(`${__ENV.MUTUAL}/get`), { 'the certificate is shown': (r) => r.status === 200 });
  check(http.get(`${__ENV.TLS}/get`), { 'who does not ask is told nothing': (r) => r.status === 200 });
}
