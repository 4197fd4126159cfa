// args: --out=csv={FOLDER}/out.csv
// file out.csv: metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,proto,scenario,service,status,subproto,tls_version,url,extra_tags
// file out.csv: http_reqs,
// file out.csv: own=1
import http from 'k6/http';

export default function () {
  http.get(`${__ENV.BASE}/get`, { tags: { own: '1' } });
}
