// samples http_reqs{proto:HTTP/1.1,method:GET,status:200,scenario:main,group:::g,expected_response:true,error:,error_code:,tls_version:}: 1
// samples http_reqs{method:POST,status:404,error_code:1404,expected_response:false}: 1
// samples http_reqs{name:given,url:given,status:200}: 1
// samples http_reqs{tls_version:tls1.3}: 1
// samples http_reqs{status:0,error_code:1000,expected_response:false}: 1
// samples http_reqs{service:orders}: 1
// samples http_reqs{vu:,iter:,ip:}: 6
// samples checks{check:named,group:::g,scenario:main}: 1
// samples http_reqs{scenario:main}: 6
import http from 'k6/http';
import { check, group } from 'k6';

export const options = { insecureSkipTLSVerify: true, scenarios: { main: { executor: 'shared-iterations' } } };

export default function () {
  group('g', () => {
    check(http.get(`${__ENV.BASE}/get`), { named: (r) => r.status === 200 });
  });
  http.post(`${__ENV.BASE}/status/404`);
  http.get(`${__ENV.BASE}/get?x=1`, { tags: { name: 'given' } });
  http.get(`${__ENV.TLS}/get`);
  http.get(`${__ENV.BASE}/drop`);
  http.get(`${__ENV.BASE}/get`, { tags: { service: 'orders' } });
}
