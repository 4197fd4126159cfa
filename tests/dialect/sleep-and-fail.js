// iterations: 2
// checks: 1
// says: Error: on purpose
import { check, fail, sleep } from 'k6';

export const options = { vus: 1, iterations: 2 };

// fail() ends the iteration, which is counted, and the next one begins.
export default function () {
  if (__ITER === 0) fail('on purpose');
  const began = Date.now();
  sleep(0.2);
  check(Date.now() - began, { 'it slept': (ms) => ms >= 195 });
}
