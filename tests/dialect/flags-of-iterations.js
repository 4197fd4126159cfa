// args: --min-iteration-duration=250ms --discard-response-bodies --rps=100 -w --system-tags=status,method -i 2
// iterations: 2
// checks: 2
// samples http_reqs{status:200,method:GET,url:}: 2
import http from 'k6/http';
import { check } from 'k6';
import { thrown } from './lib/thrown.js';

export default function () {
  check(http.get(`${__ENV.BASE}/get`), { 'no body, and failures throw': (r) => r.body === null && thrown(() => http.get(`${__ENV.BASE}/drop`)) !== 'nothing' });
}
