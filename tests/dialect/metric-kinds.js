// counted: 6
// value level.value: 2
// value level.min: -3
// value level.max: 9
// value share.value: 0.75
// value share.passes: 3
// value taken.avg: 4
// value taken.med: 4
// value taken.min: 2
// value taken.max: 6
// samples counted{kind:a}: 1
// samples taken{kind:b}: 3
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

const counted = new Counter('counted');
const level = new Gauge('level');
const share = new Rate('share');
const taken = new Trend('taken');

export default function () {
  counted.add(1, { kind: 'a' });
  counted.add(5);
  [9, -3, 2].forEach((value) => level.add(value));
  [true, 1, 0, 0.5].forEach((value) => share.add(value));
  [2, 4, 6].forEach((value) => taken.add(value, { kind: 'b' }));
}
