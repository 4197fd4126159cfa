// checks: 2
import exec from 'k6/execution';
import { check, sleep } from 'k6';

export const options = {
  stages: [
    { duration: '1s', target: 4 },
    { duration: '500ms', target: 4 },
    { duration: '0s', target: 1 },
  ],
  thresholds: { vus_max: ['value==4'], iterations: ['count>4'] },
};

export default function () {
  sleep(0.1);
}

export function teardown() {
  check(exec.test.options.scenarios.default, {
    'the shortcut is a scenario': (s) => s.executor === 'ramping-vus' && s.startVUs === 1,
    'with its stages': (s) => s.stages.map((stage) => `${stage.duration}:${stage.target}`).join() === '1s:4,500ms:4,0s:1',
  });
}
