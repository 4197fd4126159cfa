// Chai's `expect` with a check for each assertion, by its documented interface: https://jslib.k6.io/k6chaijs
import { Assertion, AssertionError, chainable, config, describe, eql, expect, kindOf, method, property, util } from 'jslib:k6chaijs-core';

const { flag, reach, steps } = util;
const fresh = (value, of) => new Assertion(value, flag(of, 'message'));
const note = (of, message) => {
  if (message !== undefined) flag(of, 'message', message);
};

for (const word of ['to', 'be', 'been', 'is', 'and', 'has', 'have', 'with', 'that', 'which', 'at', 'of', 'same', 'but', 'does', 'still', 'also']) {
  property(word, () => undefined);
}
property('not', function () {
  flag(this, 'negate', true);
});
for (const name of ['deep', 'nested', 'own', 'ordered']) {
  property(name, function () {
    flag(this, name, true);
  });
}
property('any', function () {
  flag(this, 'any', true);
  flag(this, 'all', false);
});
property('all', function () {
  flag(this, 'all', true);
  flag(this, 'any', false);
});

const states = {
  ok: [(v) => Boolean(v), 'to be truthy', 'to be falsy'],
  true: [(v) => v === true, 'to be true', 'to be false'],
  false: [(v) => v === false, 'to be false', 'to be true'],
  null: [(v) => v === null, 'to be null', 'not to be null'],
  undefined: [(v) => v === undefined, 'to be undefined', 'not to be undefined'],
  NaN: [(v) => Number.isNaN(v), 'to be NaN', 'not to be NaN'],
  exist: [(v) => v !== null && v !== undefined, 'to exist', 'to not exist'],
  empty: [(v) => (v instanceof Map || v instanceof Set ? v.size : (v?.length ?? Object.keys(Object(v)).length)) === 0, 'to be empty', 'not to be empty'],
  arguments: [(v) => kindOf(v) === 'Arguments', 'to be arguments', 'to not be arguments'],
  extensible: [(v) => Object.isExtensible(v), 'to be extensible', 'to not be extensible'],
  sealed: [(v) => Object.isSealed(v), 'to be sealed', 'to not be sealed'],
  frozen: [(v) => Object.isFrozen(v), 'to be frozen', 'to not be frozen'],
  finite: [(v) => Number.isFinite(v), 'to be a finite number', 'to not be a finite number'],
};
for (const [name, [holds, said, denied]] of Object.entries(states)) {
  property(name, function () {
    this.assert(holds(this._obj), `expected #{this} ${said}`, `expected #{this} ${denied}`);
  });
}
Object.defineProperty(Assertion.prototype, 'exists', Object.getOwnPropertyDescriptor(Assertion.prototype, 'exist'));
Object.defineProperty(Assertion.prototype, 'Arguments', Object.getOwnPropertyDescriptor(Assertion.prototype, 'arguments'));

function a(type, message) {
  note(this, message);
  const [wanted, article] = [type.toLowerCase(), 'aeiou'.includes(type[0].toLowerCase()) ? 'an' : 'a'];
  this.assert(kindOf(this._obj).toLowerCase() === wanted, `expected #{this} to be ${article} ${wanted}`, `expected #{this} not to be ${article} ${wanted}`);
}
chainable('a', a);
chainable('an', a);

function equal(expected, message) {
  note(this, message);
  if (flag(this, 'deep')) return this.eql(expected);
  return this.assert(this._obj === expected, 'expected #{this} to equal #{exp}', 'expected #{this} to not equal #{exp}', expected);
}
for (const name of ['equal', 'equals', 'eq']) method(name, equal);
for (const name of ['eql', 'eqls']) {
  method(name, function (expected, message) {
    note(this, message);
    this.assert(eql(this._obj, expected), 'expected #{this} to deeply equal #{exp}', 'expected #{this} to not deeply equal #{exp}', expected);
  });
}

function include(part, message) {
  note(this, message);
  const [value, deep, negate] = [this._obj, flag(this, 'deep'), flag(this, 'negate')];
  const alike = deep ? eql : (x, y) => x === y || (x !== x && y !== y);
  const plain = value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Set || value instanceof Map);
  if (plain && part !== null && typeof part === 'object') {
    // Each property is an assertion of its own; denied is that all of them hold.
    const keys = Object.keys(part);
    let failed = null;
    for (const key of keys) {
      const one = fresh(value, this);
      for (const name of ['deep', 'nested', 'own']) if (flag(this, name)) flag(one, name, true);
      if (negate && keys.length === 1) flag(one, 'negate', true);
      try {
        one.property(key, part[key]);
      } catch (error) {
        if (!negate || keys.length === 1) throw error;
        failed ??= error;
      }
    }
    if (negate && keys.length > 1 && failed === null) throw new AssertionError('expected the object to not include all of them');
    return;
  }
  const members = value instanceof Map ? [...value.values()] : value instanceof Set ? [...value] : Array.isArray(value) ? value : null;
  const holds = members ? members.some((one) => alike(one, part)) : typeof value === 'string' && value.includes(part);
  this.assert(holds, `expected #{this} to ${deep ? 'deep ' : ''}include #{exp}`, `expected #{this} to not ${deep ? 'deep ' : ''}include #{exp}`, part);
}
for (const name of ['include', 'includes', 'contain', 'contains']) {
  chainable(name, include, function () {
    flag(this, 'contains', true);
  });
}

function hasProperty(name, ...rest) {
  const [value, path] = [this._obj, flag(this, 'nested') ? steps(name) : [name]];
  if (rest.length > 1) note(this, rest[1]);
  const there = value !== null && value !== undefined;
  let [has, found] = there ? reach(value, path) : [false, undefined];
  if (flag(this, 'own')) has = there && Object.hasOwn(Object(value), name);
  const what = `${flag(this, 'nested') ? 'nested ' : ''}${flag(this, 'own') ? 'own ' : ''}property '${String(name)}'`;
  if (rest.length === 0) {
    this.assert(has, `expected #{this} to have ${what}`, `expected #{this} to not have ${what}`);
  } else {
    const alike = flag(this, 'deep') ? eql(found, rest[0]) : found === rest[0];
    this.assert(has && alike, `expected #{this} to have ${what} of #{exp}, but got #{act}`, `expected #{this} to not have ${what} of #{exp}`, rest[0]);
  }
  flag(this, 'value', found);
}
method('property', hasProperty);
for (const name of ['ownProperty', 'haveOwnProperty']) {
  method(name, function (...given) {
    flag(this, 'own', true);
    hasProperty.apply(this, given);
  });
}

/** What a number is compared with: the value, or its length. */
function measured(of) {
  const value = of._obj;
  if (!flag(of, 'length')) return value;
  if (value instanceof Map || value instanceof Set) return value.size;
  fresh(value, of).to.have.property('length');
  return value.length;
}
const comparisons = {
  above: [['above', 'gt', 'greaterThan'], (v, n) => v > n, 'above', 'at most'],
  least: [['least', 'gte', 'greaterThanOrEqual'], (v, n) => v >= n, 'at least', 'below'],
  below: [['below', 'lt', 'lessThan'], (v, n) => v < n, 'below', 'at least'],
  most: [['most', 'lte', 'lessThanOrEqual'], (v, n) => v <= n, 'at most', 'above'],
};
for (const [names, holds, said, denied] of Object.values(comparisons)) {
  for (const name of names) {
    method(name, function (limit, message) {
      note(this, message);
      this.assert(holds(measured(this), limit), `expected #{this} to be ${said} #{exp}`, `expected #{this} to be ${denied} #{exp}`, limit);
    });
  }
}
method('within', function (low, high, message) {
  note(this, message);
  const value = measured(this);
  this.assert(value >= low && value <= high, `expected #{this} to be within ${low}..${high}`, `expected #{this} to not be within ${low}..${high}`);
});
for (const name of ['length', 'lengthOf']) {
  const body = function (expected, message) {
    note(this, message);
    flag(this, 'length', true);
    const length = measured(this);
    this.assert(length === expected, 'expected #{this} to have a length of #{exp} but got #{act}', 'expected #{this} to not have a length of #{exp}', expected);
  };
  chainable(name, body, function () {
    flag(this, 'length', true);
  });
}
for (const name of ['closeTo', 'approximately']) {
  method(name, function (expected, delta, message) {
    note(this, message);
    fresh(this._obj, this).is.a('number');
    this.assert(Math.abs(this._obj - expected) <= delta, `expected #{this} to be close to ${expected} +/- ${delta}`, `expected #{this} not to be close to ${expected} +/- ${delta}`);
  });
}
for (const name of ['match', 'matches']) {
  method(name, function (pattern, message) {
    note(this, message);
    this.assert(pattern.exec(this._obj) !== null, `expected #{this} to match ${pattern}`, `expected #{this} not to match ${pattern}`);
  });
}
for (const name of ['string']) {
  method(name, function (part, message) {
    note(this, message);
    fresh(this._obj, this).is.a('string');
    this.assert(this._obj.includes(part), 'expected #{this} to contain #{exp}', 'expected #{this} to not contain #{exp}', part);
  });
}
for (const name of ['keys', 'key']) {
  method(name, function (...given) {
    const value = this._obj;
    const wanted = given.length === 1 && typeof given[0] === 'object' ? (Array.isArray(given[0]) ? given[0] : Object.keys(given[0])) : given;
    const actual = value instanceof Map || value instanceof Set ? [...value.keys()] : Object.keys(value);
    const alike = flag(this, 'deep') ? eql : (x, y) => x === y || String(x) === String(y);
    const has = (key) => actual.some((one) => alike(one, key));
    let holds = flag(this, 'any') ? wanted.some(has) : wanted.every(has);
    if (!flag(this, 'any') && !flag(this, 'contains')) holds &&= wanted.length === actual.length;
    const what = `${flag(this, 'contains') ? 'contain' : 'have'} ${wanted.length > 1 ? 'keys' : 'key'} ${wanted.map((key) => `'${String(key)}'`).join(', ')}`;
    this.assert(holds, `expected #{this} to ${what}`, `expected #{this} to not ${what}`);
  });
}
method('members', function (wanted, message) {
  note(this, message);
  const value = this._obj;
  fresh(value, this).to.be.an('array');
  fresh(wanted, this).to.be.an('array');
  const alike = flag(this, 'deep') ? eql : (x, y) => x === y;
  const [subset, ordered] = [flag(this, 'contains'), flag(this, 'ordered')];
  const left = [...value];
  const taken = (one, i) => {
    if (ordered) return i < value.length && alike(value[i], one);
    const at = left.findIndex((other) => alike(other, one));
    if (at >= 0 && !subset) left.splice(at, 1);
    return at >= 0;
  };
  const holds = (subset || value.length === wanted.length) && wanted.every(taken);
  const what = `${subset ? 'be a superset of' : `have the same ${ordered ? 'ordered ' : ''}members as`} #{exp}`;
  this.assert(holds, `expected #{this} to ${what}`, `expected #{this} to not ${what}`, wanted);
});
method('oneOf', function (list, message) {
  note(this, message);
  fresh(list, this).to.be.an('array');
  const value = this._obj;
  const holds = flag(this, 'contains') ? list.some((one) => value.includes(one)) : list.some((one) => (flag(this, 'deep') ? eql(one, value) : one === value));
  this.assert(holds, 'expected #{this} to be one of #{exp}', 'expected #{this} to not be one of #{exp}', list);
});
for (const name of ['instanceof', 'instanceOf']) {
  method(name, function (kind, message) {
    note(this, message);
    this.assert(this._obj instanceof kind, `expected #{this} to be an instance of ${kind.name}`, `expected #{this} to not be an instance of ${kind.name}`);
  });
}
for (const name of ['satisfy', 'satisfies']) {
  method(name, function (holds, message) {
    note(this, message);
    this.assert(holds(this._obj), `expected #{this} to satisfy ${util.inspect(holds)}`, `expected #{this} to not satisfy ${util.inspect(holds)}`);
  });
}
for (const name of ['respondTo', 'respondsTo']) {
  method(name, function (wanted) {
    const on = typeof this._obj === 'function' ? this._obj.prototype : this._obj;
    this.assert(typeof on[wanted] === 'function', `expected #{this} to respond to '${wanted}'`, `expected #{this} to not respond to '${wanted}'`);
  });
}
for (const name of ['throw', 'throws', 'Throw']) {
  method(name, function (kind, pattern) {
    fresh(this._obj, this).is.a('function');
    let caught;
    let thrown = false;
    try {
      this._obj();
    } catch (error) {
      [caught, thrown] = [error, true];
    }
    const said = typeof kind === 'string' || kind instanceof RegExp ? kind : pattern;
    const text = String(caught?.message ?? caught);
    const right = typeof kind !== 'function' || caught instanceof kind;
    const like = said === undefined || (said instanceof RegExp ? said.test(text) : text.includes(said));
    this.assert(thrown && right && like && (!(kind instanceof Error) || caught === kind), `expected #{this} to throw ${kind?.name ?? 'an error'}`, `expected #{this} to not throw ${kind?.name ?? 'an error'}`);
  });
}
const moves = { change: (d) => d !== 0, increase: (d) => d > 0, decrease: (d) => d < 0 };
for (const [name, holds] of Object.entries(moves)) {
  const body = function (subject, key) {
    const read = () => (key === undefined ? subject() : subject[key]);
    const before = read();
    this._obj();
    const delta = read() - before;
    flag(this, 'delta', delta);
    this.assert(holds(delta), `expected ${key ?? 'it'} to ${name}`, `expected ${key ?? 'it'} to not ${name}`);
  };
  method(name, body);
  method(`${name}s`, body);
}
method('by', function (delta) {
  this.assert(Math.abs(flag(this, 'delta')) === Math.abs(delta), `expected it to change by ${delta}`, `expected it to not change by ${delta}`);
});

export const chai = { Assertion, AssertionError, config, describe, expect, util };
chai.use = (plugin) => {
  plugin(chai, util);
  return chai;
};
const { use } = chai;
export { Assertion, AssertionError, config, describe, expect, use, util };
export default chai;
