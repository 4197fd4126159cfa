// http_reqs: 1
// checks: 13
import papaparse from 'https://jslib.k6.io/papaparse/5.1.1/index.js';
import jsonpath from 'https://jslib.k6.io/jsonpath/1.0.2/index.js';
import Ajv from 'https://jslib.k6.io/ajv/6.12.5/index.js';
import { FormData } from 'https://jslib.k6.io/formdata/0.0.2/index.js';
import { TOTP } from 'https://jslib.k6.io/totp/1.0.0/index.js';
import http from 'k6/http';
import { SharedArray } from 'k6/data';
import { check } from 'k6';

const text = 'id,name\r\n1,"x, ""y"""\r\n2,z\r\n\r\n';
const users = new SharedArray('users', () => papaparse.parse(text, { header: true, skipEmptyLines: true, dynamicTyping: true }).data);
const store = { book: [{ title: 'a', price: 5 }, { title: 'b', price: 15 }], bike: { price: 20 } };

export default async function () {
  check(users, {
    header: () => users.length === 2 && users[0].name === 'x, "y"' && users[1].id === 2,
    rows: () => JSON.stringify(papaparse.parse('a;b\nc;d').data) === '[["a","b"],["c","d"]]',
    'an empty line': () => papaparse.parse('a\nb\n').data.length === 3,
    unparse: () => papaparse.unparse([{ a: 1, b: 'x,y' }]) === 'a,b\r\n1,"x,y"',
  });
  check(jsonpath, {
    all: (j) => j.query(store, '$.book[*].title').join() === 'a,b',
    deep: (j) => j.query(store, '$..price').length === 3,
    filter: (j) => j.query(store, '$.book[?(@.price > 10)].title').join() === 'b',
    slice: (j) => j.query(store, '$.book[-1:].title').join() === 'b',
    value: (j) => j.value(store, "$['bike'].price") === 20,
  });
  const validate = new Ajv({ allErrors: true }).compile({
    type: 'object',
    required: ['id'],
    properties: { id: { type: 'integer', minimum: 1 }, mail: { format: 'email' }, tags: { type: 'array', items: { $ref: '#/definitions/tag' } } },
    definitions: { tag: { enum: ['a', 'b'] } },
    additionalProperties: false,
  });
  check(validate, {
    valid: (v) => v({ id: 1, mail: 'a@b.c', tags: ['a'] }) && v.errors === null,
    wrong: (v) => !v({ id: 0, mail: 'x', tags: ['c'], more: 1 }) && v.errors.length === 4,
  });
  const form = new FormData();
  form.append('a', 'b');
  form.append('file', http.file('content', 'f.txt', 'text/plain'));
  const answer = http.post(`${__ENV.BASE}/post`, form.body(), { headers: { 'Content-Type': `multipart/form-data; boundary=${form.boundary}` } });
  check(answer, { form: (r) => r.json('data').includes('name="file"; filename="f.txt"\r\nContent-Type: text/plain\r\n\r\ncontent\r\n') });
  // RFC 6238, appendix B.
  const password = await new TOTP('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', 8).gen(59000);
  check(password, { totp: (p) => p === '94287082' });
}
