// iterations + dropped_iterations: 40
// dropped_iterations: >=20
// iterations: >=2
// sum dropped_iterations{scenario:shared}: 10..19
// sum dropped_iterations{scenario:each}: 10..19
import { sleep } from 'k6';

// What is left over when maxDuration is up is dropped.
export const options = {
  scenarios: {
    shared: { executor: 'shared-iterations', vus: 1, iterations: 20, maxDuration: '1s' },
    each: { executor: 'per-vu-iterations', vus: 1, iterations: 20, maxDuration: '1s' },
  },
};

export default function () {
  sleep(0.3);
}
