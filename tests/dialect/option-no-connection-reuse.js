// http_reqs: 2
// checks: 1
import http from 'k6/http';
import { check } from 'k6';

export const options = { noConnectionReuse: true };

export default function () {
  const number = () => http.get(`${__ENV.BASE}/connection`).json('connection');
  check(number(), { 'another one each time': (n) => n !== number() });
}
