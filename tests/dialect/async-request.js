// iterations: 1
// http_reqs: 7
// checks: 4
import http from 'k6/http';
import { check } from 'k6';

export default async function () {
  const one = await http.asyncRequest('POST', `${__ENV.BASE}/post`, { a: '1' }, { headers: { 'X-A': 'a' } });
  check(one, { 'one after the other': (r) => r.json().form.a === '1' && r.json().headers['X-A'] === 'a' });
  const all = await Promise.all([1, 2, 3].map((i) => http.asyncRequest('GET', `${__ENV.BASE}/together/500?i=${i}`)));
  check(all, {
    'all answers': (list) => list.map((r) => r.url.at(-1)).join() === '1,2,3',
    'at the same time': (list) => list[0].json().most > 1,
  });
  const first = await Promise.race([http.asyncRequest('GET', `${__ENV.BASE}/delay/2000`), http.asyncRequest('GET', `${__ENV.BASE}/get`)]);
  check(first, { 'the faster one': (r) => r.url === `${__ENV.BASE}/get` });
  // loadgen-lint-ignore promise-not-awaited -- the iteration waits for it all the same
  http.asyncRequest('GET', `${__ENV.BASE}/get`);
}
