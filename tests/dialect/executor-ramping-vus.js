// checks: 4
// value vus_max: 4
// value vus.min: <=3
import exec from 'k6/execution';
import { check, sleep } from 'k6';

// 0 to 4 in a second: the first user comes after the first quarter of it.
export const options = {
  scenarios: { up: { executor: 'ramping-vus', startVUs: 0, stages: [{ duration: '1s', target: 4 }, { duration: '300ms', target: 4 }] } },
};

export default function () {
  if (__ITER === 0) {
    const came = Date.now() - exec.scenario.startTime;
    check(came, { 'not before its step': (ms) => ms >= (exec.vu.idInInstance - 1) * 250 - 30 });
  }
  sleep(0.1);
}
