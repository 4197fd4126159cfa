// iterations: 10
// checks: 10
import exec from 'k6/execution';
import { check } from 'k6';

export const options = {
  scenarios: { open: { executor: 'constant-arrival-rate', rate: 20, timeUnit: '2s', duration: '1s', preAllocatedVUs: 10 } },
};

// Iteration i is due at i · timeUnit / rate.
export default function () {
  const due = exec.scenario.iterationInTest * 100;
  check(Date.now() - exec.scenario.startTime, { 'not before it is due': (ms) => ms >= due - 30 });
}
