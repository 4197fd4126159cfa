// URL and URLSearchParams as in the WHATWG standard: https://jslib.k6.io/url. The parsing is the host's.
import { urlParse, urlWith } from 'loadgen:native';

const plus = (text) => encodeURIComponent(text).replace(/%20/g, '+').replace(/[!'()~]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());

function decoded(text) {
  const spaced = text.replace(/\+/g, ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    // What is no UTF-8 stays as it is.
    return spaced;
  }
}

export class URLSearchParams {
  #pairs = [];
  #changed = () => {};

  constructor(init = '', changed) {
    if (typeof changed === 'function') this.#changed = changed;
    if (init === null || init === undefined) init = '';
    if (typeof init === 'object') {
      const entries = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
      for (const pair of entries) {
        const [name, value, more] = [...pair];
        if (value === undefined || more !== undefined) throw new TypeError('each pair of URLSearchParams must be a name and a value');
        this.#pairs.push([String(name), String(value)]);
      }
    } else {
      for (const part of String(init).replace(/^\?/, '').split('&')) {
        if (part === '') continue;
        const at = part.indexOf('=');
        const [name, value] = at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
        this.#pairs.push([decoded(name), decoded(value)]);
      }
    }
  }

  append(name, value) {
    this.#pairs.push([String(name), String(value)]);
    this.#changed();
  }
  delete(name, value) {
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== String(name) || (value !== undefined && pair[1] !== String(value)));
    this.#changed();
  }
  get(name) {
    const found = this.#pairs.find((pair) => pair[0] === String(name));
    return found ? found[1] : null;
  }
  getAll(name) {
    return this.#pairs.filter((pair) => pair[0] === String(name)).map((pair) => pair[1]);
  }
  has(name, value) {
    return this.#pairs.some((pair) => pair[0] === String(name) && (value === undefined || pair[1] === String(value)));
  }
  set(name, value) {
    const first = this.#pairs.findIndex((pair) => pair[0] === String(name));
    if (first < 0) {
      this.#pairs.push([String(name), String(value)]);
    } else {
      this.#pairs[first][1] = String(value);
      this.#pairs = this.#pairs.filter((pair, i) => i <= first || pair[0] !== String(name));
    }
    this.#changed();
  }
  sort() {
    this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed();
  }
  forEach(callback, self) {
    for (const [name, value] of this.#pairs) callback.call(self, value, name, this);
  }
  *entries() {
    for (const pair of this.#pairs) yield [...pair];
  }
  *keys() {
    for (const pair of this.#pairs) yield pair[0];
  }
  *values() {
    for (const pair of this.#pairs) yield pair[1];
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  get size() {
    return this.#pairs.length;
  }
  get [Symbol.toStringTag]() {
    return 'URLSearchParams';
  }
  toString() {
    return this.#pairs.map(([name, value]) => `${plus(name)}=${plus(value)}`).join('&');
  }
}

const PARTS = ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];

export class URL {
  #parts;
  #params;

  constructor(url, base) {
    this.#parts = urlParse(String(url), base === undefined ? undefined : String(base));
  }

  static canParse(url, base) {
    try {
      return Boolean(new URL(url, base));
    } catch {
      return false;
    }
  }

  static #part(url, i) {
    return url.#parts[i];
  }
  static #change(url, i, value) {
    url.#parts = i === 0 ? urlParse(value, undefined) : urlWith(url.#parts[0], PARTS[i], value);
    if (i === 0 || PARTS[i] === 'search') url.#params = undefined;
  }

  static {
    PARTS.forEach((name, i) => {
      const get = function () {
        return URL.#part(this, i);
      };
      const set = function (value) {
        URL.#change(this, i, String(value));
      };
      Object.defineProperty(URL.prototype, name, { get, set: name === 'origin' ? undefined : set, enumerable: true, configurable: true });
    });
  }

  get searchParams() {
    this.#params ??= new URLSearchParams(this.#parts[9], () => {
      const params = this.#params.toString();
      this.#parts = urlWith(this.#parts[0], 'search', params === '' ? '' : `?${params}`);
    });
    return this.#params;
  }
  get [Symbol.toStringTag]() {
    return 'URL';
  }
  toString() {
    return this.#parts[0];
  }
  toJSON() {
    return this.#parts[0];
  }
}

export default { URL, URLSearchParams };
