// iterations: 1
// checks: 5
import { check } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
import { thrown } from './lib/thrown.js';

const made = [
  thrown(() => new Counter('1st')),
  thrown(() => new Gauge('with blank')),
  thrown(() => new Rate('dash-ed')),
  thrown(() => new Trend('x'.repeat(130))),
];
const fine = thrown(() => new Counter('_under_score9'));
const other = thrown(() => new Counter('kind') && new Gauge('kind'));
const same = thrown(() => new Counter('same') && new Counter('same'));

export default function () {
  check(made, {
    'these are no names': (list) => list.every((message) => message !== 'nothing'),
    'these are': () => fine === 'nothing' && new Set(made).size > 1,
    'one name is of one kind': () => other.includes('kind'),
    'the same one twice is one': () => same === 'nothing',
    'none is made while it runs': () => thrown(() => new Counter('late')).includes('init context'),
  });
}
