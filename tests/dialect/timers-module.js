// iterations: 1
// checks: 1
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'k6/timers';
import { check } from 'k6';

export default function () {
  const order = [];
  setTimeout((a, b) => order.push(a + b), 30, 'l', 'ate');
  setTimeout(() => order.push('early'), 1);
  clearTimeout(setTimeout(() => order.push('never'), 1));
  const beat = setInterval(() => {
    order.push('beat');
    clearInterval(beat);
  }, 10);
  setTimeout(() => check(order, { 'in their order': (list) => list.join() === 'early,beat,late' }), 60);
}
