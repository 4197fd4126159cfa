// checks: 1
// iterations: >=2
// value vus_max: 3
import exec from 'k6/execution';
import { check, sleep } from 'k6';

// A stage of no length jumps, and who goes finishes the iteration.
export const options = {
  scenarios: {
    down: {
      executor: 'ramping-vus',
      startVUs: 3,
      gracefulRampDown: '20s',
      gracefulStop: '20s',
      stages: [{ duration: '200ms', target: 3 }, { duration: '0s', target: 1 }, { duration: '200ms', target: 1 }],
    },
  },
};

export default function () {
  sleep(0.5);
}

export function teardown() {
  check(exec.instance, { 'none is interrupted': (i) => i.iterationsInterrupted === 0 && i.iterationsCompleted >= 3 });
}
