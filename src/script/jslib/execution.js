// The module k6/execution: what a script can learn of the run around it, tags of its samples, and how it ends the test.
import { abort, ask, fail, fields, forget, metadata, note, options, tag, tags, untag } from 'loadgen:execution';

const { defineProperty, freeze, keys } = Object;

const exec = { scenario: {}, instance: {}, vu: {}, test: {} };
fields.forEach(([scope, name], field) => {
  defineProperty(exec[scope], name, { enumerable: true, get: () => ask(field) });
});

function lazy(object, name, make) {
  let made;
  defineProperty(object, name, { enumerable: true, get: () => (made ??= make()) });
}

/** An object whose properties are elsewhere. */
function view(read, write, remove) {
  return new Proxy({}, {
    get: (_, key) => (typeof key === 'string' ? read()[key] : undefined),
    has: (_, key) => key in read(),
    ownKeys: () => keys(read()),
    getOwnPropertyDescriptor: (_, key) => {
      const value = read()[key];
      return value === undefined ? undefined : { value, writable: true, enumerable: true, configurable: true };
    },
    set: (_, key, value) => {
      write(key, value);
      return true;
    },
    defineProperty: (_, key, { value }) => {
      write(key, value);
      return true;
    },
    deleteProperty: (_, key) => {
      remove(key);
      return true;
    },
  });
}

const metrics = {};
lazy(metrics, 'tags', () => view(tags, tag, untag));
lazy(metrics, 'metadata', () => view(metadata, note, forget));
defineProperty(exec.vu, 'metrics', { enumerable: true, value: metrics });
defineProperty(exec.vu, 'tags', { enumerable: true, get: () => metrics.tags });

function deepFreeze(value) {
  if (value !== null && typeof value === 'object') {
    for (const key in value) deepFreeze(value[key]);
    freeze(value);
  }
  return value;
}

exec.test.abort = abort;
exec.test.fail = fail;
lazy(exec.test, 'options', () => deepFreeze(options()));

export const { scenario, instance, vu, test } = exec;
export default exec;
