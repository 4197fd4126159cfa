// http_reqs: 4
// checks: 3
import http from 'k6/http';
import { check } from 'k6';

export const options = { noVUConnectionReuse: true, vus: 1, iterations: 2 };

let last;

export default function () {
  const number = () => http.get(`${__ENV.BASE}/connection`).json('connection');
  const mine = number();
  check(mine, { 'the same in an iteration': (n) => n === number() });
  if (__ITER === 1) check(mine, { 'another in the next': (n) => n !== last });
  last = mine;
}
