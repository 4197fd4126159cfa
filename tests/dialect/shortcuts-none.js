// iterations: 1
// checks: 1
import exec from 'k6/execution';
import { check } from 'k6';

// Without a load there is one iteration of one user.
export default function () {
  check(exec.scenario, { default: (s) => s.name === 'default' && s.iterationInTest === 0 });
}
