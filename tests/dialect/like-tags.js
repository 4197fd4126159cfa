// iterations: 2
// http_reqs: 4
// checks: 2
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';

export const options = {
  iterations: 2,
  tags: { team: 'a' },
  thresholds: {
    'http_reqs{team:a}': ['count==4'],
    'http_reqs{step:first}': ['count==2'],
    'http_reqs{step:second,own:1}': ['count==2'],
    'checks{step:second}': ['rate==1'],
    'http_reqs{name:users}': ['count==2'],
  },
};

export default function () {
  exec.vu.metrics.tags.step = 'first';
  http.get(`${__ENV.BASE}/get?user=${__ITER}`, { tags: { name: 'users' } });
  exec.vu.tags['step'] = 'second';
  const answer = http.get(http.url`${__ENV.BASE}/get?id=${__ITER}`, { tags: { own: 1 } });
  check(answer, { 'tags are known': () => exec.vu.metrics.tags.step === 'second' && exec.vu.metrics.tags.team === 'a' });
  delete exec.vu.metrics.tags.step;
}
