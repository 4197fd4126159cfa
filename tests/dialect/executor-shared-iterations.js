// iterations: 7
// turns: 21
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';

const turns = new Counter('turns');

export const options = { scenarios: { all: { executor: 'shared-iterations', vus: 3, iterations: 7 } } };

// Whoever is free takes the next one: 0 + 1 + … + 6.
export default function () {
  turns.add(exec.scenario.iterationInTest);
}
