// iterations: 1
// http_reqs: 3
// checks: 8
import http from 'k6/http';
import { check, sleep } from 'k6';
import { Trend } from 'k6/metrics';

const taken = new Trend('taken', undefined);
const text = open('./undefined-arguments.js', undefined);

// An argument that is `undefined` is one that is left out.
export default async function () {
  const began = Date.now();
  sleep();
  sleep(undefined);
  const jar = http.cookieJar();
  const answer = http.get(`${__ENV.BASE}/get?a=1`, undefined);
  await new Promise((resolve) => setTimeout(resolve, undefined));
  await new Promise((resolve) => setTimeout(resolve, '10'));
  clearTimeout(undefined);
  check(answer, {
    'no sleep': () => Date.now() - began < 5000,
    'text is opened': () => text.startsWith('// iterations'),
    'a cookie without options': () => jar.set(__ENV.BASE, 'n', 'v', undefined) === true,
    'a part that is not there': (r) => r.json('undefined') === undefined && r.json('args.a') === '1',
    'no body': () => http.post(`${__ENV.BASE}/post`, undefined, undefined).json().data === '',
    'a metric': () => taken.add(1, undefined) === true,
    'a page': () => http.get(`${__ENV.BASE}/html`).html().find('li').slice(1, undefined).size() === 1,
    'a blob of text': () => new TextDecoder(undefined, undefined).decode(undefined, undefined) === '',
  });
}
