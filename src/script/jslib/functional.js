// What became https://jslib.k6.io/expect, by its former name: https://jslib.k6.io/functional. A schema is that of a value here,
// each fault is a check of its own, and the chain goes on.
import { check } from 'k6';
import { describing, Expectation } from 'jslib:expect';
import { faults } from 'jslib:schema';

class Former extends Expectation {
  toMatchAPISchema(schema) {
    const { value, name = '' } = this.subject;
    // As its validator does, the first fault ends the search.
    const wrong = faults(schema, value).slice(0, 1);
    check(null, { [`${name} schema validation`]: () => wrong.length === 0 });
    for (const { dataPath, message } of wrong) check(null, { [`${name} ${dataPath} ${message}`]: () => false });
    if (wrong.length > 0) console.error(JSON.stringify(wrong));
    return this;
  }
}

export const describe = describing((value) => new Former(value));
export { describe as test };
export default { describe, test: describe };
