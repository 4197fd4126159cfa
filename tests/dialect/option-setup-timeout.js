// exit: 100
// says: setup
import { sleep } from 'k6';

export const options = { setupTimeout: '300ms' };

export function setup() {
  sleep(60);
}

export default function () {}
