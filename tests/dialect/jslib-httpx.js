// http_reqs: 6
// checks: 7
import { Httpx, Get, Post } from 'https://jslib.k6.io/httpx/0.1.0/index.js';
import { check } from 'k6';
import { Rate } from 'k6/metrics';

const errorMetric = new Rate('session_errors');
const session = new Httpx({ baseURL: __ENV.BASE, headers: { 'X-A': 'a' }, timeout: 20000, errorMetric });

export default async function () {
  session.addHeader('X-B', 'b');
  session.addTag('kind', 'session');
  check(session.get('/get'), { 'base and headers': (r) => r.json('headers.X-A') === 'a' && r.json('headers.X-B') === 'b' });
  check(session.post('/post', { a: '1' }, { headers: { 'X-A': 'other' } }), {
    form: (r) => r.json('form.a') === '1',
    'a header of its own': (r) => r.json('headers.X-A') === 'other',
  });
  session.clearHeader('X-B');
  const answers = session.batch([new Get('/get'), new Post('/post', { body: 'a=b' }), ['PUT', '/put', 'c']], { tags: { name: 'all' } });
  check(answers, {
    batch: (all) => all.length === 3 && all[1].json('data') === 'a=b' && all[2].json('method') === 'PUT',
    cleared: (all) => all[0].json('headers.X-B') === undefined,
  });
  check(await session.asyncGet('/get'), { async: (r) => r.status === 200 });
  check(session, { 'how long': (s) => s.lastRequestChainDuration >= 0 });
}
