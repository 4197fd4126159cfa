// String-heavy: rows are made, cut, searched and put together, a page is parsed, and bodies are checked by expressions.
import http from 'k6/http';
import { check } from 'k6';
import { parseHTML } from 'k6/html';
import { randomString, findBetween } from 'https://jslib.k6.io/k6-utils/1.4.0/index.js';

export default function () {
  const rows = Array.from({ length: 100 }, (_, i) => `${i};${randomString(12)};user-${i}@example.com;${i % 7}`);
  const text = rows.join('\n');
  const found = text.split('\n').map((row) => row.split(';')).filter(([, , mail]) => /^user-\d+@example\.com$/.test(mail));
  const page = parseHTML(`<ul>${found.map(([id, name]) => `<li data-id="${id}">${name.toUpperCase()}</li>`).join('')}</ul>`);
  const answer = http.post(__ENV.TARGET, text.replace(/;/g, ','));
  check(answer, {
    'all are found': () => found.length === 100 && page.find('li').size() === 100,
    'one between marks': () => findBetween(text, '42;', ';').length === 12,
    'status is 200': (r) => r.status === 200,
  });
}
