// samples http_reqs{status:200,url:,name:,method:,scenario:}: 1
// samples iterations{scenario:}: 1
import http from 'k6/http';

// Only these; `vu`, `iter` and `ip` are not among the usual ones.
export const options = { systemTags: ['status', 'vu', 'iter', 'ip'] };

export default function () {
  http.get(`${__ENV.BASE}/get`);
}
