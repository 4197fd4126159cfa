// args: --execution-segment=0:1/4
// iterations: 2
// checks: 2
import exec from 'k6/execution';
import { check } from 'k6';

export const options = { vus: 4, iterations: 8 };

export default function () {
  check(exec.instance, { 'one of four users': (i) => i.vusInitialized === 1 });
}
