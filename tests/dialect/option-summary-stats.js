// args: --summary-trend-stats=min,p(99.9),count --summary-time-unit=us
// value taken.min: 5
// value taken.p(99.9): 8.99..9
// value taken.count: 2
// shows: p(99.9)=
// shows: µs
import { Trend } from 'k6/metrics';

const taken = new Trend('taken');
const timed = new Trend('timed', true);

export default function () {
  taken.add(5);
  taken.add(9);
  timed.add(1.5);
}
