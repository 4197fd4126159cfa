// iterations: 1
// checks: 4
import { check, group } from 'k6';
import { thrown } from './lib/thrown.js';

// What check() and group() take for conditions and bodies, and what they refuse.
export default function () {
  const seen = [
    check(1, true) === true,
    check(1, 5) === true,
    thrown(() => check(1)) === 'no checks provided to `check`',
    thrown(() => check(1, undefined)) !== 'nothing',
    // loadgen-lint-ignore check-never-fails -- it is refused
    thrown(() => check(1, { later: async () => true })).includes('does not support async functions as arguments'),
    thrown(() => group('later', async () => {})).includes('does not support async functions as arguments'),
    thrown(() => group('nothing')).includes('requires a callback as a second argument'),
    // loadgen-lint-ignore check-never-fails -- it is refused
    thrown(() => check(1, { a: true }, { tag: null })).includes("metric tag 'tag'"),
    group('a promise', () => Promise.resolve(1)) instanceof Promise,
  ];
  check(seen, {
    'all are as in the dialect': (list) => list.every(Boolean),
    // loadgen-lint-ignore check-never-fails -- a condition need not be a function
    'a value that is true': 1,
    'a promise is true': () => Promise.resolve(false),
  });
  check('ok', { 'of a text': (value) => value === 'ok' }, { extra: 'x' });
}
