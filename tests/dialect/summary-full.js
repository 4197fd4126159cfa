// args: --summary-mode=full
// checks: 2
// shows: SCENARIO: first
// shows: GROUP: shop
// shows: ✓ a check
import { check, group } from 'k6';

export const options = {
  scenarios: { first: { executor: 'shared-iterations' }, second: { executor: 'shared-iterations' } },
};

export default function () {
  group('shop', () => check(1, { 'a check': (n) => n === 1 }));
}
