// http_reqs: 10
// checks: 10
import http from 'k6/http';
import { check } from 'k6';

const url = `${__ENV.BASE}/post`;
const post = (body, headers) => http.post(url, body, { headers });

export default function () {
  const bytes = new Uint8Array([104, 105, 33, 0]);
  const type = (r) => r.json('headers.Content-Type');
  const many = encodeURIComponent('a b&c=ü').replace(/%20/g, '+');
  check(null, {
    'a text': () => post('hi').json('data') === 'hi',
    'a text has no type': () => type(post('hi')) === undefined,
    'an object is a form': () => type(post({ a: 1 })) === 'application/x-www-form-urlencoded',
    'its values are text': () => post({ a: 1, b: true, c: 'x' }).json('data') === 'a=1&b=true&c=x',
    'and are encoded': () => post({ k: 'a b&c=ü' }).json('data') === `k=${many}`,
    'a list': () => post({ a: ['x', 'y'] }).json('data') === 'a=x&a=y',
    'a type of its own stays': () => type(post({ a: 1 }, { 'Content-Type': 'text/x' })) === 'text/x',
    'an ArrayBuffer': () => post(bytes.buffer).json('data') === 'hi!\u0000',
    'a part of one': () => post(bytes.subarray(1, 3)).json('data') === 'i!',
    'its length': () => post('ü').json('headers.Content-Length') === '2',
  });
}
