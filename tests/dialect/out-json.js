// args: --out=json={FOLDER}/out.json
// file out.json: {"type":"Metric","data":{"name":"http_reqs","type":"counter","contains":"default","thresholds":["count>0"],
// file out.json: {"metric":"http_reqs","type":"Point","data":{"time":"
// file out.json: "tags":{"expected_response":"true","group":"","method":"GET",
import http from 'k6/http';

export const options = { thresholds: { http_reqs: ['count>0'] } };

export default function () {
  http.get(`${__ENV.BASE}/get`);
}
