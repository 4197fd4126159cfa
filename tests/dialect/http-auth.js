// http_reqs: 7
// checks: 5
// samples http_reqs{status:401}: 3
// samples http_req_failed: 7
// sum http_req_failed: 2
import http from 'k6/http';
import { check } from 'k6';

// A challenge that is expected is no failure; a refusal is one.
export default function () {
  const at = (path, user = 'user:passwd') => __ENV.BASE.replace('//', `//${user}@`) + path;
  check(null, {
    basic: () => http.get(at('/basic-auth')).status === 200,
    'or not': () => http.get(at('/basic-auth', 'user:wrong')).status === 401,
    'basic by name': () => http.get(at('/basic-auth'), { auth: 'basic' }).status === 200,
    digest: () => http.get(at('/digest-auth'), { auth: 'digest' }).status === 200,
    'not without it': () => http.get(at('/digest-auth')).status === 401,
  });
  http.get(`${__ENV.BASE}/get`);
}
