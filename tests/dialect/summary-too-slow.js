// iterations: 1
// says: it took longer than 1 s and was ended; raise handleSummaryTimeout
import { sleep } from 'k6';

export const options = { handleSummaryTimeout: '1s' };

export default function () {}

export function handleSummary() {
  sleep(60);
  return {};
}
