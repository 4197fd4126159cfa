// iterations: 3
// http_reqs: 8
// checks: 2
import http from 'k6/http';
import { check } from 'k6';
import exec from 'k6/execution';

// A tag `name` of the scenario or of the user is the name of all its requests, but for those that have their own.
export const options = {
  scenarios: {
    shop: { executor: 'per-vu-iterations', exec: 'shop', tags: { name: 'shop' } },
    steps: { executor: 'per-vu-iterations', exec: 'steps', iterations: 2 },
  },
  thresholds: {
    'http_reqs{name:shop}': ['count==3'],
    'http_reqs{url:shop}': ['count==3'],
    'http_reqs{name:own}': ['count==1'],
    'http_reqs{name:step 0}': ['count==1'],
    'http_reqs{name:step 1}': ['count==1'],
    'http_reqs{scenario:steps}': ['count==4'],
  },
};

export function shop() {
  http.get(`${__ENV.BASE}/get?a`);
  http.get(http.url`${__ENV.BASE}/get?${1}`);
  http.batch([`${__ENV.BASE}/get?b`]);
  http.get(`${__ENV.BASE}/get?c`, { tags: { name: 'own' } });
}

export function steps() {
  exec.vu.metrics.tags.name = `step ${__ITER}`;
  http.get(`${__ENV.BASE}/get`);
  delete exec.vu.metrics.tags.name;
  check(http.get(`${__ENV.BASE}/get`), { 'a name no more': (r) => r.status === 200 });
}
