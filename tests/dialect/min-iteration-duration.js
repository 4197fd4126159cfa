// iterations: 3
// checks: 1
import exec from 'k6/execution';
import { check } from 'k6';

export const options = { minIterationDuration: '300ms', vus: 1, iterations: 3 };

export default function () {
  if (__ITER === 2) {
    check(exec.instance.currentTestRunDuration, { 'each takes its time': (ms) => ms >= 600 });
  }
}
