// args: -u 2 -i 2
// iterations: 2
// checks: 8
import { check, randomSeed } from 'k6';
import { randomIntBetween, randomString } from 'https://jslib.k6.io/k6-utils/1.4.0/index.js';

// A seed stands for the same numbers as in k6, for each virtual user.
export default function () {
  randomSeed(42);
  const picked = [1, 2, 3, 4, 5].map(() => randomIntBetween(1, 100));
  const text = randomString(6);
  randomSeed(1);
  const drawn = [Math.random(), Math.random()];
  check(picked, {
    'numbers': (p) => p.join() === '38,7,61,21,5',
    'letters': () => text === 'jvjjqt',
    'seeded anew': () => drawn.join() === '0.6046602879796196,0.9405090880450124',
    'text as a seed': () => { randomSeed('1'); return Math.random() === drawn[0]; },
  });
}
