// checks: 1
// iterations: >=3
// value vus_max: 3
import exec from 'k6/execution';
import { check, sleep } from 'k6';

export const options = { scenarios: { hold: { executor: 'constant-vus', vus: 3, duration: '1s' } } };

export default function () {
  sleep(0.2);
}

export function teardown() {
  check(exec.instance.currentTestRunDuration, { 'as long as was said': (ms) => ms >= 1000 });
}
