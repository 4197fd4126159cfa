// iterations: 4
// checks: 5
// says: Error: rejected
// says: Error: in a timer
import exec from 'k6/execution';
import { check } from 'k6';

const ready = await new Promise((resolve) => setTimeout(() => resolve('ready'), 5));

export const options = {
  scenarios: {
    waits: { executor: 'shared-iterations', exec: 'waits' },
    rejects: { executor: 'shared-iterations', exec: 'rejects' },
    throws: { executor: 'shared-iterations', exec: 'throws' },
    chained: { executor: 'shared-iterations', exec: 'chained' },
  },
};

export async function setup() {
  await null;
  return 'of a promise';
}

// An iteration is over when nothing of it is left to come.
export function waits(data) {
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
    if (ticks === 3) {
      clearInterval(timer);
      check(ticks, { 'it went on': (n) => n === 3 && ready === 'ready' && data === 'of a promise' });
    }
  }, 10);
  const never = setTimeout(() => check(0, { 'it was taken back': (n) => n === 1 }), 20);
  clearTimeout(never);
}

export async function rejects() {
  check(1, { before: (n) => n === 1 });
  await Promise.reject(new Error('rejected'));
}

export function throws() {
  check(1, { before: (n) => n === 1 });
  setTimeout(() => {
    throw new Error('in a timer');
  }, 5);
}

export async function chained() {
  const order = [];
  setTimeout((text) => order.push(text), 0, 'timer');
  Promise.resolve().then(() => order.push('promise'));
  order.push('now');
  await new Promise((resolve) => setTimeout(resolve, 20));
  check(order, { 'in order': (list) => list.join() === 'now,promise,timer' });
}

export function teardown() {
  check(exec.instance, { 'two came to their end': (i) => i.iterationsCompleted >= 2 });
}
