// args: --execution-segment=1/4:1/2 --execution-segment-sequence=0,1/4,1/2,1
// iterations: 2
// checks: 2
import exec from 'k6/execution';
import { check } from 'k6';

export const options = { vus: 4, iterations: 8 };

export default function () {
  check(exec.instance, { 'one of four users': (i) => i.vusInitialized === 1 });
}
