// iterations: 1
// http_reqs: 20
// checks: 2
import http from 'k6/http';
import { check } from 'k6';

export const options = { batch: 10, batchPerHost: 3 };

// The server says how many it had at once.
export default function () {
  const ask = (host) => Array.from({ length: 10 }, () => ['GET', `${host}/together/40`, null, { responseType: 'text' }]);
  const most = (answers) => Math.max(...answers.map((answer) => answer.json('most')));
  check(http.batch(ask(__ENV.BASE)), { 'three at once': (answers) => most(answers) === 3 });
  const other = __ENV.BASE.replace('127.0.0.1', 'localhost');
  check(http.batch([...ask(__ENV.BASE).slice(5), ...ask(other).slice(5)]), { 'of each host': (answers) => most(answers) > 3 });
}
