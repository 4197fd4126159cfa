// exit: 110
// iterations: 2
// says: not good enough
import exec from 'k6/execution';

export const options = { vus: 1, iterations: 2 };

// The test goes on to its end, and is a failure.
export default function () {
  if (__ITER === 0) exec.test.fail('not good enough');
}
