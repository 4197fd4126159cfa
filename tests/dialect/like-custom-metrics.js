// iterations: 10
// http_reqs: 10
// bytes_in: 50
// exit: 99
// says: thresholds
import http from 'k6/http';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

const bytes = new Counter('bytes_in');
const last = new Gauge('last_size');
const small = new Rate('small_answers');
const wait = new Trend('time_to_first_byte', true);

export const options = {
  vus: 2,
  iterations: 10,
  thresholds: {
    bytes_in: ['count==50'],
    'bytes_in{kind:even}': ['count>=0'],
    last_size: ['value==5'],
    small_answers: ['rate>0.99'],
    time_to_first_byte: ['p(95)<60000', 'max>0'],
    // loadgen-lint-ignore unit-mistaken -- this one is to fail
    'http_req_duration{kind:odd}': ['max<0'],
  },
};

export default function () {
  const kind = __ITER % 2 === 0 ? 'even' : 'odd';
  const answer = http.get(`${__ENV.BASE}/bytes/5`, { responseType: 'binary', tags: { kind } });
  bytes.add(answer.body.byteLength, { kind });
  last.add(answer.body.byteLength);
  small.add(answer.body.byteLength < 10);
  wait.add(answer.timings.waiting + 0.001);
}
