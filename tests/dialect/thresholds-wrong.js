// exit: 104
// says: nobody_writes_this
// says: count>>1
// says: p(101)
// says: med
import http from 'k6/http';
import { check } from 'k6';

export const options = {
  thresholds: {
    // loadgen-lint-ignore threshold-misspelt -- on purpose
    nobody_writes_this: ['count>1'],
    // loadgen-lint-ignore threshold-misspelt -- on purpose
    http_reqs: ['count>>1'],
    // loadgen-lint-ignore threshold-misspelt -- on purpose
    http_req_duration: ['p(101)<1'],
    // loadgen-lint-ignore threshold-misspelt -- on purpose
    checks: ['med<1'],
  },
};

export default function () {
  check(http.get(`${__ENV.BASE}/get`), { 'it is not asked': (r) => r.status === 200 });
}
