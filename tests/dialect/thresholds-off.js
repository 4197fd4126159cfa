// args: --no-thresholds
// http_reqs: 1
import http from 'k6/http';

export const options = { thresholds: { http_reqs: ['count<1'] } };

export default function () {
  http.get(`${__ENV.BASE}/get`);
}
