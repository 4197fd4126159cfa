// The library form-urlencoded, by its documented interface: an object as the body of a form, with `a[b]` for what is nested.

const escaped = (text) => encodeURIComponent(String(text).toWellFormed())
  .replace(/%20/g, '+')
  .replace(/[!'()~*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** Options: `sorted` names, `skipIndex` (`a[]` instead of `a[0]`), `ignorenull`. */
export default function formurlencoded(data, { sorted = false, skipIndex = false, ignorenull = false } = {}) {
  const keys = (object) => (sorted ? Object.keys(object).sort() : Object.keys(object));
  const pairs = (name, value) => {
    if (typeof value === 'function' || typeof value === 'symbol') return [];
    if (value === null || value === undefined) return ignorenull ? [] : [`${name}=`];
    if (value instanceof Date) return [`${name}=${escaped(value.toISOString())}`];
    if (Array.isArray(value)) return value.flatMap((item, i) => pairs(`${name}${escaped('[')}${skipIndex ? '' : i}${escaped(']')}`, item));
    if (typeof value === 'object') return keys(value).flatMap((key) => pairs(`${name}${escaped('[')}${escaped(key)}${escaped(']')}`, value[key]));
    return [`${name}=${escaped(value)}`];
  };
  return keys(data).flatMap((key) => pairs(escaped(key), data[key])).join('&');
}
