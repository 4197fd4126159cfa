// exit: 99
// says: thresholds
// file summary.json: "count<1": true
// file summary.json: "count>0": false
import { Counter } from 'k6/metrics';

const counted = new Counter('counted');

// In the export `true` is a threshold that failed.
export const options = { thresholds: { counted: ['count<1', 'count>0'] } };

export default function () {
  counted.add(1);
}
