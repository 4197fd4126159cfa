// iterations: 1
// http_reqs: 8
// checks: 7
// says: doesn't have a url key
import http from 'k6/http';
import { check } from 'k6';
import { thrown } from './lib/thrown.js';

const url = (path) => `${__ENV.BASE}${path}`;

export default function () {
  const named = http.batch({
    plain: url('/get?a=1'),
    name: { method: 'post', url: url('/post'), body: { b: '2' }, name: 'not a template' },
    dropped: { method: 'get', url: url('/any'), body: 'dropped' },
    kept: { url: url('/any'), body: 'kept' },
  });
  check(named, {
    'by their names': (all) => Object.keys(all).sort().join() === 'dropped,kept,name,plain',
    'an entry with a name': (all) => all.name.json().form.b === '2' && all.name.request.method === 'POST',
    'a GET that says so has no body': (all) => all.dropped.json().data === '' && all.kept.json().data === 'kept',
  });
  const list = http.batch([
    http.url`${url('/get')}?id=${5}`,
    ['PUT', url('/put'), 'text', { headers: { 'X-A': 'a' } }],
    ['GET', url('/cookies'), null, { cookies: { c: '1' } }],
    url('/html'),
  ]);
  check(list, {
    'in their order': (all) => all[0].json().args.id === '5' && all[1].json().headers['X-A'] === 'a' && all[2].json().cookies.c === '1' && all[3].html('li').size() === 2,
  });
  const wrong = http.batch([url('/get'), { method: 'GET' }, url('/get')]);
  check(wrong, {
    'one that cannot be read stops all': (all) => all.length === 3 && all[0].status === 0 && all[1].error.includes('url key') && all[2] === null,
  });
  check(null, {
    'there must be one list': () => thrown(() => http.batch()).includes('no argument') && thrown(() => http.batch([], [])).includes('only an array or an object'),
    'an empty one is fine': () => http.batch([]).length === 0,
  });
}
