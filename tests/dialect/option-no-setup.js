// iterations: 1
// checks: 1
import { check } from 'k6';

export const options = { noSetup: true, noTeardown: true };

export function setup() {
  throw new Error('nobody asked for it');
}

export default function (data) {
  check(data, { 'there is none': (d) => d === undefined });
}

export function teardown() {
  throw new Error('nobody asked for it');
}
