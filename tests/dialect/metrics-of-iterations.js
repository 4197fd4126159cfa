// iterations: 3
// samples iterations: 3
// samples iteration_duration: 3
// samples group_duration{group:::one}: 3
// samples group_duration{group:::one::two}: 3
// samples checks{check:is it,group:::one::two}: 3
// value iteration_duration.min: >=20
// value checks.value: 1
// value checks.passes: 3
// value vus_max: 1
// value vus: 1
import { check, group, sleep } from 'k6';

export const options = { vus: 1, iterations: 3 };

export default function () {
  group('one', () => {
    group('two', () => {
      check(1, { 'is it': (n) => n === 1 });
      sleep(0.4);
    });
  });
}
