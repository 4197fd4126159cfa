// exit: 99
// says: thresholds
// checks: 1
import exec from 'k6/execution';
import { check, sleep } from 'k6';
import { Counter } from 'k6/metrics';

const counted = new Counter('counted');

export const options = {
  duration: '10m',
  thresholds: { counted: [{ threshold: 'count<3', abortOnFail: true }] },
};

export default function () {
  counted.add(1);
  sleep(0.1);
}

export function teardown() {
  check(exec.instance.currentTestRunDuration, { 'long before its time': (ms) => ms < 300000 });
}
