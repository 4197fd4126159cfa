// args: --summary-mode=disabled
// iterations: 1
// nofile: shown.txt
import { check } from 'k6';

export default function () {
  check(1, { 'a check': (n) => n === 1 });
}

export function handleSummary() {
  return { 'shown.txt': 'nobody asked for it' };
}
