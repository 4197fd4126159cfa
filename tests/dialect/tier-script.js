// config: {"vus": 3, "duration": "30s", "userAgent": "file/1", "tags": {"from": "file"}}
// iterations: 5
// checks: 5
import http from 'k6/http';
import { check } from 'k6';

// The script's load replaces the file's; its number of users stays.
export const options = { iterations: 5, userAgent: 'script/1' };

export default function () {
  check(http.get(`${__ENV.BASE}/get`), { 'of the script': (r) => r.json('headers.User-Agent') === 'script/1' });
}
