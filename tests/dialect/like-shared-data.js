// iterations: 6
// checks: 12
import { SharedArray } from 'k6/data';
import exec from 'k6/execution';
import { check } from 'k6';
import papaparse from 'https://jslib.k6.io/papaparse/5.1.1/index.js';

const people = new SharedArray('people', () => papaparse.parse(open('./lib/people.csv'), { header: true, skipEmptyLines: true }).data);
const numbers = new SharedArray('numbers', function () {
  return Array.from({ length: 6 }, (_, i) => ({ id: i }));
});

export const options = { scenarios: { each: { executor: 'shared-iterations', vus: 3, iterations: 6 } } };

export default function () {
  const mine = numbers[exec.scenario.iterationInTest];
  check(mine, {
    'each iteration has its own': (n) => n.id === exec.scenario.iterationInTest,
    'rows have names': () => people.length > 0 && Object.keys(people[0]).length > 1,
  });
}
