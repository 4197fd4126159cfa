// iterations: 1
// checks: 3
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { thrown } from './lib/thrown.js';

export const options = { throw: true };

const counted = new Counter('counted');

export default function () {
  check(null, {
    'a value that is none throws': () => thrown(() => counted.add('x')).includes("'x' is an invalid value for metric 'counted'"),
    'a tag that is none throws': () => thrown(() => counted.add(1, { a: null })).includes("metric tag 'a'"),
    'a number does not': () => thrown(() => counted.add(1, { a: 1, b: true, c: 'x' })) === 'nothing',
  });
}
