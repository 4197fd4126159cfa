// http_reqs: 4
// checks: 4
import formurlencoded from 'https://jslib.k6.io/form-urlencoded/3.0.0/index.js';
import pyroscope from 'https://jslib.k6.io/http-instrumentation-pyroscope/1.0.1/index.js';
import http from 'k6/http';
import { check } from 'k6';

pyroscope.instrumentHTTP();
const own = new pyroscope.Client(() => ({ 'X-Own': '1' }));

export default function () {
  const url = `${__ENV.BASE}/get`;
  const baggage = (answer) => answer.json('headers.Baggage');
  check(http.get(url, { headers: { 'X-A': 'a' } }), {
    'scenario and name': (r) => baggage(r).endsWith(`k6.scenario=default, k6.name=${url}`) && r.json('headers.X-A') === 'a',
  });
  check(http.get(url, { tags: { name: 'mine' } }), { 'a given name': (r) => baggage(r).endsWith('k6.name=mine') });
  check(own.post(`${__ENV.BASE}/post`, 'x'), { 'headers of its own': (r) => r.json('headers.X-Own') === '1' && baggage(r) === undefined });
  const form = formurlencoded({ a: 'x y', list: [1, 2], deep: { b: { c: "it's" } }, none: null });
  http.post(`${__ENV.BASE}/post`, form);
  check(form, { 'a form': (text) => text === 'a=x+y&list%5B0%5D=1&list%5B1%5D=2&deep%5Bb%5D%5Bc%5D=it%27s&none=' });
}
