// http_reqs: 1
// iterations: 1
// checks: 8 and 1
import { describe } from 'https://jslib.k6.io/expect/0.0.4/index.js';
import http from 'k6/http';

export default function () {
  const held = describe('an answer', (t) => {
    const answer = http.get(`${__ENV.BASE}/get?n=5`);
    t.expect(answer.status).as('status').toEqual(200).and(answer).toHaveValidJson().and(answer.json('args').n).as('n').toEqual('5');
    t.expect(7).toBeGreaterThan(6).and(7).toBeLessThan(8).and(7).toBeBetween(6, 8).and('x').toBeTruthy();
    t.expect(answer).toMatchAPISchema({ type: 'object', required: ['args'], properties: { args: { properties: { n: { type: 'string', pattern: '^\\d$' } } } } });
  });
  const broken = describe('a chain that breaks', (t) => {
    t.expect(1).as('one').toEqual(2);
    t.expect(1).as('never').toEqual(1);
  });
  if (!held || broken) throw new Error(`${held} ${broken}`);
}
