// exit: 110
// iterations: 2
// says: expect(received).toBeGreaterThan(2)
import { expect } from 'https://jslib.k6.io/k6-testing/0.5.0/index.js';

export const options = { iterations: 2 };

export default function () {
  expect.soft(1).toBeGreaterThan(2);
}
