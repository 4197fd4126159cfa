// iterations: 1
// http_reqs: 1
// checks: 1
// says: the iteration goes no further
import http from 'k6/http';
import { check } from 'k6';
import { thrown } from './lib/thrown.js';

export const options = { throw: true };

// A request that fails throws, where it would be an error Response.
export default function () {
  check(thrown(() => http.get(`${__ENV.BASE}/drop`)), { 'it is thrown': (message) => message !== 'nothing' });
  throw new Error('the iteration goes no further');
}
