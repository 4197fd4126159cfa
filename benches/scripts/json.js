// JSON-heavy: a document of some 20 KB comes, parts of it are picked, it is changed, and it is sent back.
import http from 'k6/http';
import { check } from 'k6';

export default function () {
  const answer = http.get(`${__ENV.TARGET}catalog.json`);
  const catalog = answer.json();
  check(answer, {
    'a part by its path': (r) => r.json('items.#') === catalog.items.length,
    'and by a condition': (r) => r.json('items.#(id==42).name') === 'item 42',
  });
  catalog.items = catalog.items.filter((item) => item.stock > 3).map((item) => ({ ...item, price: item.price * 2, tags: [...item.tags, 'new'] }));
  http.post(__ENV.TARGET, JSON.stringify(catalog), { headers: { 'Content-Type': 'application/json' } });
}
