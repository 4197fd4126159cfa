// variable: MINE=of the flag
// env: OTHER=of the system
// iterations: 1
// checks: 10
// says: a text 5 {"a":1} [1,"x"] undefined null
// says: an error
import { check } from 'k6';

const text = open('./lib/data.json');
const bytes = open('./lib/data.json', 'b');

export default async function () {
  console.log('not shown with --quiet', 'perhaps');
  console.warn('a text', 5, { a: 1 }, [1, 'x'], undefined, null);
  console.error('an error');
  console.debug('only with --verbose');
  const url = 'a b';
  check(null, {
    '__ENV': () => __ENV.MINE === 'of the flag' && __ENV.OTHER === 'of the system' && __ENV.NONE === undefined,
    '__VU and __ITER': () => __VU === 1 && __ITER === 0,
    open: () => JSON.parse(text).list.length === 2 && bytes instanceof ArrayBuffer && bytes.byteLength === text.length,
    console: () => ['log', 'info', 'debug', 'warn', 'error'].every((level) => typeof console[level] === 'function'),
    timers: () => [setTimeout, clearTimeout, setInterval, clearInterval].every((f) => typeof f === 'function'),
    TextEncoder: () => new TextEncoder().encode('ü').join() === '195,188' && new TextDecoder().decode(new Uint8Array([195, 188])) === 'ü',
    crypto: () => crypto.randomUUID().length === 36 && crypto.getRandomValues(new Uint8Array(4)).length === 4 && typeof crypto.subtle.digest === 'function',
    global: () => global === globalThis,
    base64: () => atob(btoa('hello')) === 'hello',
    'the language': () => [3, 1, 2].toSorted().at(-1) === 3 && url.replaceAll(' ', '') === 'ab' && structuredCloneLike({ a: [1n] }).a[0] === 1n,
  });
}

function structuredCloneLike(value) {
  return { ...value };
}
