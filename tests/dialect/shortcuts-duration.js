// checks: 3
import exec from 'k6/execution';
import { check, sleep } from 'k6';

export const options = { vus: 2, duration: '1s' };

export default function () {
  sleep(0.3);
}

export function teardown() {
  check(exec.test.options.scenarios.default, {
    'a scenario': (s) => s.executor === 'constant-vus' && s.vus === 2 && s.duration === '1s',
    'with its defaults': (s) => s.gracefulStop === '30s' || s.gracefulStop === null,
  });
  check(exec.instance.currentTestRunDuration, { 'as long as was said': (ms) => ms >= 1000 });
}
