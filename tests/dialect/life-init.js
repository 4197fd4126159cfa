// iterations: 1
// checks: 6
import http from 'k6/http';
import exec from 'k6/execution';
import { check, group, sleep } from 'k6';
import { thrown } from './lib/thrown.js';

// What the top level must not do.
const early = {
  get: thrown(() => http.get(`${__ENV.BASE}/get`)),
  batch: thrown(() => http.batch([`${__ENV.BASE}/get`])),
  check: thrown(() => check(1, { 'too early': (n) => n === 1 })),
  group: thrown(() => group('too early', () => 1)),
  tags: thrown(() => exec.vu.idInTest),
  sleep: thrown(() => sleep(0)),
};

export default function () {
  check(early, {
    'no request': (e) => e.get.includes('init context') && e.batch.includes('init context'),
    'no check': (e) => e.check.includes('init context'),
    'no group': (e) => e.group.includes('init context'),
    'nothing of the run': (e) => e.tags.includes('init context'),
  });
  check(null, {
    'and no file later': () => thrown(() => open('./lib/data.json')).includes('init'),
    'numbers are known': () => __VU === 1 && __ITER === 0,
  });
}
