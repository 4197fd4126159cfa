// http_reqs: 1
// checks: 8
import http from 'k6/http';
import { check } from 'k6';

export default function () {
  const body = JSON.stringify({ list: [{ id: 1, tags: ['a'] }, { id: 2, tags: ['b', 'c'] }], deep: { 'a.b': 5, none: null }, yes: true });
  const r = http.post(`${__ENV.BASE}/raw`, body, { headers: { 'Content-Type': 'application/json' } });
  check(r, {
    all: (a) => a.json().json.yes === true,
    'a path': (a) => a.json('json.deep').none === null,
    'an index': (a) => a.json('json.list.1.id') === 2,
    'a length': (a) => a.json('json.list.#') === 2,
    'of each': (a) => a.json('json.list.#.id').join() === '1,2',
    'a condition': (a) => a.json('json.list.#(id==2).tags.0') === 'b',
    'a dot in a name': (a) => a.json('json.deep.a\\.b') === 5,
    'what is not there': (a) => a.json('json.nothing') === undefined,
  });
}
