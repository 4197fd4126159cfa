// Assertions that end the test, or with `soft` only mark it as failed: https://jslib.k6.io/k6-testing
import exec from 'k6/execution';
import { same } from 'jslib:schema';

export class AssertionFailedError extends Error {
  name = 'AssertionFailedError';
}

const DEFAULTS = { soft: false, softMode: 'fail', colorize: false, display: 'pretty', timeout: 5000, interval: 100 };

function shown(value) {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return `[Function ${value.name}]`;
  if (typeof value !== 'object' || value === null || value instanceof RegExp || value instanceof Error) return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return String(value);
  }
}

/** As in Jest's toEqual: properties that are undefined do not count. */
function equal(a, b) {
  if (b !== null && typeof b === 'object' && typeof b.asymmetricMatch === 'function') return b.asymmetricMatch(a);
  if (same(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (a instanceof Set && b instanceof Set) return a.size === b.size && [...a].every((one) => [...b].some((other) => equal(one, other)));
  if (a instanceof Map && b instanceof Map) return a.size === b.size && [...a].every(([key, one]) => equal(one, b.get(key)));
  if (Array.isArray(a) !== Array.isArray(b) || (Array.isArray(a) && a.length !== b.length)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => equal(a[key], b[key]));
}

/** Whether `a.b[0]`, or a list of steps, is there, and what is there. */
function reach(value, path) {
  const steps = Array.isArray(path) ? path : [...String(path).matchAll(/[^.[\]]+/g)].map((match) => match[0]);
  for (const step of steps) {
    if (value === null || value === undefined || !(step in Object(value))) return [false, undefined];
    value = value[step];
  }
  return [true, value];
}

const MATCHERS = {
  toBe: (v, expected) => Object.is(v, expected),
  toBeCloseTo: (v, expected, digits = 2) => v === expected || Math.abs(v - expected) < 10 ** -digits / 2,
  toBeDefined: (v) => v !== undefined,
  toBeFalsy: (v) => !v,
  toBeGreaterThan: (v, limit) => v > limit,
  toBeGreaterThanOrEqual: (v, limit) => v >= limit,
  toBeInstanceOf: (v, kind) => v instanceof kind,
  toBeLessThan: (v, limit) => v < limit,
  toBeLessThanOrEqual: (v, limit) => v <= limit,
  toBeNaN: (v) => Number.isNaN(v),
  toBeNull: (v) => v === null,
  toBeTruthy: (v) => Boolean(v),
  toBeUndefined: (v) => v === undefined,
  toContain: (v, part) => (typeof v === 'string' ? v.includes(part) : [...v].includes(part)),
  toContainEqual: (v, part) => [...v].some((one) => equal(one, part)),
  toEqual: equal,
  toStrictEqual: equal,
  toHaveLength: (v, length) => v.length === length,
  toHaveProperty: (v, path, ...value) => {
    const [there, found] = reach(v, path);
    return there && (value.length === 0 || equal(found, value[0]));
  },
  toMatch: (v, pattern) => (pattern instanceof RegExp ? pattern.test(v) : String(v).includes(pattern)),
  toMatchObject: (v, part) => Object.keys(part).every((key) => (part[key] !== null && typeof part[key] === 'object' && !Array.isArray(part[key]) && v?.[key] ? MATCHERS.toMatchObject(v[key], part[key]) : equal(v?.[key], part[key]))),
  toThrow: (v, pattern) => {
    try {
      v();
    } catch (error) {
      if (pattern === undefined) return true;
      if (typeof pattern === 'function') return error instanceof pattern;
      return pattern instanceof RegExp ? pattern.test(error.message) : String(error.message).includes(pattern.message ?? pattern);
    }
    return false;
  },
};

function fail(message, settings) {
  if (!settings.soft) {
    exec.test.abort(message);
  } else if (settings.softMode === 'throw') {
    throw new AssertionFailedError(message);
  } else {
    console.error(message);
    exec.test.fail(message);
  }
}

class Expectation {
  constructor(value, message, settings, negated = false) {
    Object.defineProperty(this, 'state', { value: { value, message, settings, negated } });
  }
  get not() {
    const { value, message, settings, negated } = this.state;
    return new this.constructor(value, message, settings, !negated);
  }
}

function addTo(kind, name, holds) {
  kind.prototype[name] = function (...given) {
    const { value, message, settings, negated } = this.state;
    if (Boolean(holds(value, ...given)) !== negated) return;
    const what = `expect(received).${negated ? 'not.' : ''}${name}(${given.map(shown).join(', ')})`;
    fail(`${message ? `${message}: ` : ''}${what}\n\n  Received: ${shown(value)}`, settings);
  };
}
for (const [name, holds] of Object.entries(MATCHERS)) addTo(Expectation, name, holds);

function make(settings, kind = Expectation) {
  const expect = (value, message) => new kind(value, message, settings);
  expect.soft = (value, message) => new kind(value, message, { ...settings, soft: true });
  expect.configure = (more) => make({ ...settings, ...more }, kind);
  expect.extend = (matchers) => {
    class Extended extends kind {}
    for (const [name, matcher] of Object.entries(matchers)) {
      addTo(Extended, name, typeof matcher === 'function' ? (value, ...given) => matcher(value, ...given).pass : (value, ...given) => matcher.match(value, ...given).passed);
    }
    return make(settings, Extended);
  };
  Object.defineProperty(expect, 'config', { get: () => ({ ...settings }) });
  expect.anything = () => ({ asymmetricMatch: (value) => value !== null && value !== undefined });
  expect.any = (kind) => ({ asymmetricMatch: (value) => value instanceof kind || typeof value === kind.name.toLowerCase() });
  expect.stringContaining = (part) => ({ asymmetricMatch: (value) => typeof value === 'string' && value.includes(part) });
  expect.arrayContaining = (parts) => ({ asymmetricMatch: (value) => parts.every((part) => [...value].some((one) => equal(one, part))) });
  expect.objectContaining = (part) => ({ asymmetricMatch: (value) => MATCHERS.toMatchObject(value, part) });
  return expect;
}

export const expect = make(DEFAULTS);
export default { expect, AssertionFailedError };
