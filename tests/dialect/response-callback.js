// iterations: 1
// http_reqs: 6
// checks: 2
import http from 'k6/http';
import { check } from 'k6';

export const options = {
  thresholds: {
    'http_reqs{expected_response:true}': ['count==3'],
    'http_reqs{expected_response:false}': ['count==2'],
    http_req_failed: ['rate==0.4'],
  },
};

const thrown = (call) => {
  try {
    call();
  } catch (error) {
    return true;
  }
  return false;
};

export default function () {
  const get = (status, params) => http.get(`${__ENV.BASE}/status/${status}`, params);
  get(404);
  http.setResponseCallback(http.expectedStatuses({ min: 200, max: 299 }, 404));
  get(404);
  get(302);
  get(302, { responseCallback: http.expectedStatuses(302) });
  get(404);
  http.setResponseCallback(null);
  get(500);
  check(null, {
    'only what expectedStatuses() made': () => thrown(() => http.setResponseCallback(() => true)),
    'only whole numbers': () => thrown(() => http.expectedStatuses(1.5)) && thrown(() => http.expectedStatuses()),
  });
}
