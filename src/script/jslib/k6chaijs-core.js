// What Chai's sentences are made of, with a check for each assertion: https://jslib.k6.io/k6chaijs. The words are in
// k6chaijs.js.
import { check, group } from 'k6';
import { faults } from 'jslib:schema';

export class AssertionError extends Error {
  name = 'AssertionError';
}

export const config = {
  aggregateChecks: true,
  logFailures: false,
  truncateMsgThreshold: 300,
  truncateVariableThreshold: 100,
  truncateThreshold: 40,
  showDiff: true,
  includeStack: false,
};

const cut = (text) => (text.length > config.truncateVariableThreshold ? `${text.slice(0, config.truncateVariableThreshold)}…` : text);

export function kindOf(value) {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  return Object.prototype.toString.call(value).slice(8, -1);
}

function shown(value) {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return value.name ? `[Function: ${value.name}]` : '[Function]';
  if (value instanceof Error || value instanceof RegExp || typeof value !== 'object' || value === null) return String(value);
  try {
    return JSON.stringify(value).replace(/"(\w+)":/g, '$1: ').replace(/"/g, "'").replace(/,/g, ', ');
  } catch {
    return `[${kindOf(value)}]`;
  }
}

export function eql(a, b) {
  if (a === b) return a !== 0 || 1 / a === 1 / b;
  if (a !== a && b !== b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || kindOf(a) !== kindOf(b)) return false;
  if (a instanceof Date) return a.getTime() === b.getTime();
  if (a instanceof RegExp) return String(a) === String(b);
  if (a instanceof Set || a instanceof Map) {
    const [x, y] = [[...a], [...b]];
    return x.length === y.length && x.every((one) => y.some((other) => eql(one, other)));
  }
  if (a instanceof Error) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && eql(a[key], b[key]));
}

/** The steps of `a.b[1]`; a backslash takes a dot or a bracket as it is. */
const steps = (path) => [...String(path).matchAll(/\[(\d+)\]|((?:\\.|[^.[\]])+)/g)].map((m) => m[1] ?? m[2].replace(/\\(.)/g, '$1'));

function reach(value, path) {
  let there = true;
  for (const step of path) {
    there = value !== null && value !== undefined && step in Object(value);
    if (!there) return [false, undefined];
    value = value[step];
  }
  return [there, value];
}

const flags = Symbol('flags');

/** A value, and the words that have been said of it. */
export class Assertion {
  constructor(value, message) {
    this[flags] = { value, message };
  }
  get _obj() {
    return this[flags].value;
  }

  assert(holds, said, denied, expected, actual = this[flags].value) {
    const { value, message, negate } = this[flags];
    const ok = negate ? !holds : Boolean(holds);
    const template = (negate ? denied : said).replace('but ', '').replace('#{exp}', () => cut(shown(expected)));
    const spelled = template.replace('#{this}', () => cut(shown(value))).replace('#{act}', () => cut(shown(actual)));
    const name = config.aggregateChecks ? cut(template.replace('#{this}', () => message || '${this}').replace('#{act}', '${actual}')) : message ? `${message}: ${spelled}` : spelled;
    check(null, { [name]: () => ok });
    if (ok) return;
    if (config.logFailures) console.warn(cut(spelled));
    throw new AssertionError(cut(message ? `${message}: ${spelled}` : spelled));
  }
}

const own = Assertion.prototype;

export function property(name, getter) {
  Object.defineProperty(own, name, {
    configurable: true,
    get() {
      const result = getter.call(this);
      return result === undefined ? this : result;
    },
  });
}

export function method(name, body) {
  own[name] = function (...given) {
    const result = body.apply(this, given);
    return result === undefined ? this : result;
  };
}

/** A method that is also a word of a sentence: `include.members`, `an('array')`. */
export function chainable(name, body, enter = () => {}) {
  Object.defineProperty(own, name, {
    configurable: true,
    get() {
      enter.call(this);
      const link = (...given) => {
        const result = body.apply(this, given);
        return result === undefined ? this : result;
      };
      // A function in front of the assertion: what is asked of it is asked of the assertion.
      return new Proxy(link, {
        get: (_, key) => {
          const found = this[key];
          return typeof found === 'function' && key !== 'constructor' ? found.bind(this) : found;
        },
      });
    },
  });
}

export function expect(value, message) {
  return new Assertion(value, message);
}
expect.fail = (message = 'expect.fail()') => {
  new Assertion(undefined, message).assert(false, String(message), String(message));
};

export function describe(name, body) {
  let success = true;
  group(name, () => {
    try {
      body();
    } catch (error) {
      success = false;
      if (error?.name !== 'AssertionError') {
        console.error(`Exception raised in test "${name}". Failing the test and continuing. \n${error}`);
        check(null, { [`Exception raised "${error}"`]: () => false });
      }
    }
  });
  return success;
}

// Read or called, both are in use.
chainable(
  'validJsonBody',
  () => undefined,
  function () {
    let holds = false;
    try {
      holds = this._obj.json() !== undefined;
    } catch {
      // Then it does not hold.
    }
    this.assert(holds, 'has valid json body', 'does not have valid json body');
  },
);
method('matchSchema', function (schema) {
  let value = this._obj;
  if (typeof value?.json === 'function') value = value.json();
  const wrong = faults(schema, value);
  this.assert(wrong.length === 0, `schema is valid${wrong.map((fault) => ` ${fault.dataPath} ${fault.message}`).join(',')}`, 'schema is not valid');
});

/** What plugins say more words with; the value of an assertion is its flag `object` to them. */
export const util = {
  eql,
  inspect: shown,
  objDisplay: shown,
  type: kindOf,
  steps,
  reach,
  flag(of, called, ...value) {
    const name = called === 'object' ? 'value' : called;
    return value.length === 0 ? of[flags][name] : (of[flags][name] = value[0]);
  },
};
const former = (name) => Object.getOwnPropertyDescriptor(own, name) ?? {};
const words = {
  addProperty: property,
  addMethod: method,
  addChainableMethod: chainable,
  overwriteProperty: (name, make) => property(name, make(former(name).get ?? (() => undefined))),
  overwriteMethod: (name, make) => method(name, make(former(name).value ?? (() => undefined))),
};
for (const [name, add] of Object.entries(words)) {
  Assertion[name] = add;
  util[name] = (_, ...given) => add(...given);
}
