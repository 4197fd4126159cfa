// iterations: 40
// checks: 40
import exec from 'k6/execution';
import { check } from 'k6';

// The integral: 10.5 in the first second, 20 in the next, 10 in the last.
export const options = {
  scenarios: {
    open: {
      executor: 'ramping-arrival-rate',
      startRate: 1,
      preAllocatedVUs: 20,
      stages: [{ duration: '1s', target: 20 }, { duration: '1s', target: 20 }, { duration: '1s', target: 0 }],
    },
  },
};

// Within the first second the integral of 1 + 19 t is t + 9.5 t².
export default function () {
  const i = exec.scenario.iterationInTest;
  const due = i <= 10 ? ((Math.sqrt(1 + 38 * i) - 1) / 19) * 1000 : 1000;
  check(Date.now() - exec.scenario.startTime, { 'not before it is due': (ms) => ms >= due - 30 });
}
