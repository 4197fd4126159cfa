// A request and a check: what every iteration of the others has too.
import http from 'k6/http';
import { check } from 'k6';

export default function () {
  check(http.get(__ENV.TARGET), { 'status is 200': (r) => r.status === 200 });
}
