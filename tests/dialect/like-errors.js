// iterations: 3
// http_reqs: 2
// checks: 2 and 1
// says: Error: the second one fails
import http from 'k6/http';
import { check, fail } from 'k6';

export const options = { iterations: 3 };

// An iteration that throws ends, and the next one begins.
export default function () {
  if (!check(__ITER, { 'not the second': (n) => n !== 1 })) {
    fail('the second one fails');
  }
  http.get(`${__ENV.BASE}/get`);
}
