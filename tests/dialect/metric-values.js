// iterations: 1
// checks: 5
// counted: 2
// says: 'undefined' is an invalid value for metric 'taken', a number or a boolean value is expected
// says: no value was provided for metric 'missing', a number or a boolean value is expected
import { check } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

const taken = new Trend('taken', undefined);
const missing = new Gauge('missing');
const counted = new Counter('counted');
const rated = new Rate('rated', false);

// What is no number is told of and not added, and the iteration goes on.
export default function () {
  check(null, {
    'invalid ones are false': () => [undefined, null, NaN, 'x', { a: 1 }].every((value) => taken.add(value) === false),
    'none is false': () => missing.add() === false,
    'others are true': () => [1, '2.5', true, false, 0].every((value) => taken.add(value) === true),
    'a counter may go down': () => counted.add(3) && counted.add(-1),
    'booleans are numbers': () => rated.add(true) && rated.add(false) && missing.add(true),
  });
}
