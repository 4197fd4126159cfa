// checks: 2
// value vus_max: 3
import exec from 'k6/execution';
import { check, sleep } from 'k6';

// With no time to finish, who goes is interrupted, and so is what runs at the end.
export const options = {
  scenarios: {
    down: {
      executor: 'ramping-vus',
      startVUs: 3,
      gracefulRampDown: '0s',
      gracefulStop: '0s',
      stages: [{ duration: '300ms', target: 3 }, { duration: '0s', target: 1 }, { duration: '300ms', target: 1 }],
    },
  },
};

export default function () {
  sleep(60);
}

export function teardown() {
  check(exec.instance, {
    'all are interrupted': (i) => i.iterationsInterrupted === 3,
    'none is complete': (i) => i.iterationsCompleted === 0,
  });
}
