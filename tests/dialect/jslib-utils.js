// iterations: 1
// checks: 9
import { check as wait, findBetween, normalDistributionStages, randomIntBetween, randomItem, randomString, uuidv4 } from 'https://jslib.k6.io/k6-utils/1.4.0/index.js';
import { check } from 'k6';

export default async function () {
  const drawn = Array.from({ length: 200 }, () => randomIntBetween(3, 5));
  check(null, {
    uuidv4: () => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(uuidv4()) && uuidv4() !== uuidv4(),
    randomIntBetween: () => Math.min(...drawn) === 3 && Math.max(...drawn) === 5 && drawn.includes(4),
    randomItem: () => ['a', 'b'].includes(randomItem(['a', 'b'])) && 'xyz'.includes(randomItem('xyz')),
    randomString: () => /^[a-z]{8}$/.test(randomString(8)) && /^[01]{5}$/.test(randomString(5, '01')),
    findBetween: () => findBetween('<b>one</b><b>two</b>', '<b>', '</b>') === 'one',
    'findBetween, all': () => findBetween('<b>one</b><b>two</b>', '<b>', '</b>', true).join() === 'one,two',
    'findBetween, none': () => findBetween('text', '<b>', '</b>') === null,
    stages: () => normalDistributionStages(10, 12, 4).length === 6,
  });
  await wait(1, { 'a check that waits': async (n) => n === 1 });
}
