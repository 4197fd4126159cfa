// config: {"vus": 2, "iterations": 4, "tags": {"from": "file"}, "userAgent": "file/1"}
// samples iterations{from:file}: 4
// checks: 4
import http from 'k6/http';
import { check } from 'k6';

export default function () {
  check(http.get(`${__ENV.BASE}/get`), { 'of the file': (r) => r.json('headers.User-Agent') === 'file/1' });
}
