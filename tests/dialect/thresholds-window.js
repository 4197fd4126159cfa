// iterations: 2
import { Counter } from 'k6/metrics';

const counted = new Counter('counted');

// One that looks at the last seconds only.
export const options = { iterations: 2, thresholds: { counted: [{ threshold: 'count>0', over: '30s' }] } };

export default function () {
  counted.add(1);
}
