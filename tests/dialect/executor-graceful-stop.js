// checks: 2
// iterations: 1
import exec from 'k6/execution';
import { check, sleep } from 'k6';

export const options = {
  scenarios: {
    patient: { executor: 'constant-vus', vus: 1, duration: '1s', gracefulStop: '20s' },
    hasty: { executor: 'constant-vus', vus: 1, duration: '1s', gracefulStop: '0s', exec: 'endless' },
  },
};

export default function () {
  sleep(1.2);
}

export function endless() {
  sleep(60);
}

export function teardown() {
  check(exec.instance, {
    'one had the time': (i) => i.iterationsCompleted === 1,
    'one had not': (i) => i.iterationsInterrupted === 1,
  });
}
