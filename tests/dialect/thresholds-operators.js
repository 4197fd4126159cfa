// iterations: 4
// checks: 4
import { check } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

const counted = new Counter('counted');
const level = new Gauge('level');
const share = new Rate('share');
const taken = new Trend('taken');

export const options = {
  iterations: 4,
  thresholds: {
    counted: ['count==8', 'count===8', 'count != 7', 'count<9', 'count <= 8', 'count>7', 'count>=8', 'rate>0'],
    level: ['value==3'],
    share: ['rate==0.5', 'rate<=0.5'],
    taken: ['avg==1.5', 'min==0', 'max==3', 'med==1.5', 'p(0)==0', 'p(100)==3', 'p(99.9)<=3'],
    'taken{half:first}': ['max<=1'],
    'counted{half:second,extra:yes}': [{ threshold: 'count==4', abortOnFail: true, delayAbortEval: '1s' }],
    checks: ['rate==1'],
    iterations: ['count==4'],
  },
};

export default function () {
  const half = __ITER < 2 ? 'first' : 'second';
  counted.add(2, { half, extra: 'yes' });
  level.add(__ITER);
  share.add(__ITER % 2 === 0);
  taken.add(__ITER, { half });
  check(half, { 'a half': (text) => text.length > 4 });
}
