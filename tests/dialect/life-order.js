// iterations: 2
// checks: 4
// file order.txt: setup teardown
// shows: to standard output
// says: to standard error
// says: init of 0
// says: init of 2
import exec from 'k6/execution';
import { check } from 'k6';

export const options = { scenarios: { each: { executor: 'per-vu-iterations', vus: 2, exec: 'work' } } };

// Once for each user, and for setup(), teardown() and handleSummary(), which are user 0.
console.error(`init of ${__VU}`);
let before = 0;

export function setup() {
  before += 1;
  return { said: 'setup', vu: __VU, before };
}

export function work(data) {
  check(data, { 'what setup() returned': (d) => d.said === 'setup' && d.vu === 0 && d.before === 1 && before === 0 });
  data.said = 'changed';
}

export function teardown(data) {
  check(data, {
    'a copy for each': (d) => d.said === 'setup',
    'no user': () => __VU === 0 && exec.instance.iterationsCompleted === 2,
  });
}

export function handleSummary(data) {
  return {
    'order.txt': `${data.setup_data.said} teardown`,
    stdout: 'to standard output',
    stderr: new TextEncoder().encode('to standard error').buffer,
  };
}
