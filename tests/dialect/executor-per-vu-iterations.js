// iterations: 6
// turns: 6
// samples iterations{scenario:each}: 6
import { Counter } from 'k6/metrics';

const turns = new Counter('turns');

export const options = { scenarios: { each: { executor: 'per-vu-iterations', vus: 2, iterations: 3 } } };

// Each has 0, 1 and 2.
export default function () {
  turns.add(__ITER);
}
