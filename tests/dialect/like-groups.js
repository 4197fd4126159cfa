// iterations: 3
// http_reqs: 9
// checks: 9
import http from 'k6/http';
import { check, group } from 'k6';

export const options = {
  iterations: 3,
  thresholds: {
    'group_duration{group:::shop}': ['max>=0'],
    'http_reqs{group:::shop::cart}': ['count==3'],
    'checks{group:::shop::cart}': ['rate==1'],
  },
};

const ok = (name) => ({ [name]: (r) => r.status === 200 });

export default function () {
  check(http.get(`${__ENV.BASE}/get`), ok('outside'));
  const articles = group('shop', () => {
    const list = http.get(`${__ENV.BASE}/get?page=shop`);
    check(list, ok('inside'));
    group('cart', () => check(http.post(`${__ENV.BASE}/post`, { article: '7' }), ok('deeper')));
    return list.json('args.page');
  });
  if (articles !== 'shop') throw new Error('a group returns what its function does');
}
