// http_reqs: 2
// iterations: 1
// checks: 9 and 3
// says: dataPath
import { describe, test } from 'https://jslib.k6.io/functional/0.0.3/index.js';
import { Get, Httpx } from 'https://jslib.k6.io/httpx/0.0.2/index.js';
import { chai, expect } from 'https://jslib.k6.io/k6chaijs/4.3.4.0/index.js';
import { initContractPlugin } from 'https://jslib.k6.io/k6chaijs-contracts/4.3.4.0/index.js';

initContractPlugin(chai);
const session = new Httpx({ baseURL: __ENV.BASE });
const schema = { type: 'object', required: ['n'], properties: { n: { type: 'string' } } };

export default function () {
  const held = describe('answers', (t) => {
    for (const answer of session.batch([new Get('/get?n=1'), new Get('/get?n=2')])) {
      t.expect(answer.status).as('status').toEqual(200).and(answer).toHaveValidJson().and(answer.json('args.n')).as('n').toBeTruthy();
    }
    t.expect({ n: 'x' }).as('good').toMatchAPISchema(schema);
    // Two checks that fail, and no end of the chain.
    t.expect({ n: 1 }).as('bad').toMatchAPISchema(schema).and(1).toEqual(1);
  });
  const broken = test('a chain that breaks', (t) => t.expect(1).as('one').toEqual(2));
  expect({ n: 'x' }, 'a contract').to.matchSchema(schema);
  if (!held || broken) throw new Error(`${held} ${broken}`);
}
