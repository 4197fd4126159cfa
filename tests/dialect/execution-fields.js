// iterations: 2
// checks: 16
import exec, { instance, scenario, test, vu } from 'k6/execution';
import { check } from 'k6';

export const options = {
  tags: { team: 'a' },
  scenarios: { mine: { executor: 'per-vu-iterations', vus: 1, iterations: 2, tags: { part: 'p' } } },
};

export default function () {
  check(exec, {
    'by name, too': (e) => e.scenario === scenario && e.instance === instance && e.vu === vu && e.test === test,
    scenario: () => scenario.name === 'mine' && scenario.executor === 'per-vu-iterations',
    'its time': () => Math.abs(Date.now() - scenario.startTime) < 60000 && scenario.progress >= 0 && scenario.progress <= 1,
    'its iterations': () => scenario.iterationInInstance === __ITER && scenario.iterationInTest === __ITER,
    instance: () => instance.vusActive === 1 && instance.vusInitialized === 1 && instance.iterationsCompleted === __ITER && instance.iterationsInterrupted === 0,
    vu: () => vu.idInInstance === 1 && vu.idInTest === 1 && vu.iterationInInstance === __ITER && vu.iterationInScenario === __ITER,
    tags: () => vu.metrics.tags.scenario === 'mine' && vu.metrics.tags.team === 'a' && vu.metrics.tags.part === 'p' && 'part' in vu.tags,
    options: () => test.options.scenarios.mine.iterations === 2 && test.options.tags.team === 'a',
  });
}
