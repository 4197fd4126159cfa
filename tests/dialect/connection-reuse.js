// http_reqs: 6
// checks: 1
import http from 'k6/http';
import { check } from 'k6';

export const options = { vus: 1, iterations: 3 };

let first;

// A virtual user keeps its connection, over iterations too.
export default function () {
  const number = () => http.get(`${__ENV.BASE}/connection`).json('connection');
  const [one, two] = [number(), number()];
  first ??= one;
  if (__ITER === 2) check(one, { 'it is the same': (n) => n === two && n === first });
}
