// The module k6/data: arrays that all virtual users share. The text of the elements is held outside of the engine, once;
// an element is parsed when it is read.
import { share } from 'loadgen:native';

const { freeze } = Object;

function deepFreeze(value) {
  if (value !== null && typeof value === 'object') {
    for (const key in value) deepFreeze(value[key]);
    freeze(value);
  }
  return value;
}

/** The array's index that a property's name is, else -1. */
function indexOf(key) {
  if (typeof key !== 'string') return -1;
  const index = key >>> 0;
  return String(index) === key ? index : -1;
}

function refuse() {
  throw new TypeError('a SharedArray cannot be changed: copy what you need, for example with slice() or map()');
}

class Handler {
  constructor(shared) {
    this.shared = shared;
    this.length = shared.length;
  }

  get(target, key) {
    const index = indexOf(key);
    if (index >= 0) return index < this.length ? deepFreeze(this.shared.at(index)) : undefined;
    return key === 'length' ? this.length : target[key];
  }

  has(target, key) {
    const index = indexOf(key);
    return index >= 0 ? index < this.length : key in target;
  }

  ownKeys() {
    const keys = [];
    for (let i = 0; i < this.length; i++) keys.push(String(i));
    keys.push('length');
    return keys;
  }

  getOwnPropertyDescriptor(target, key) {
    // `length` of the array behind is writable, and a proxy must not say otherwise.
    if (key === 'length') return { value: this.length, writable: true, enumerable: false, configurable: false };
    const index = indexOf(key);
    if (index < 0 || index >= this.length) return undefined;
    return { value: this.get(target, key), writable: false, enumerable: true, configurable: true };
  }
}

for (const trap of ['set', 'defineProperty', 'deleteProperty', 'preventExtensions', 'setPrototypeOf']) {
  Handler.prototype[trap] = refuse;
}

export class SharedArray {
  constructor(name, make) {
    return new Proxy([], new Handler(share(name, make)));
  }
}

export default { SharedArray };
