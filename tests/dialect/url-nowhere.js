// iterations: 1
// http_reqs: 12
// checks: 15
// says: unsupported protocol scheme
import http from 'k6/http';
import { check } from 'k6';

// `${undefined}/items`: what reads as a URL and leads nowhere is a request that fails, and counts; what is none is not sent.
export const options = {
  thresholds: { http_req_failed: ['rate>0.91', 'rate<0.92'], 'http_reqs{error_code:1000}': ['count==10'] },
};

export default async function () {
  const lost = (url) => (answer) => answer.status === 0 && answer.error_code === 1000 && answer.url === url;
  for (const url of [`${__ENV.NOTHING}/items`, '', '/items', 'ftp://files.test/a', 'localhost:8080/items']) {
    check(http.get(url), { [`nowhere: ${url}`]: lost(url) });
  }
  check(await http.asyncRequest('POST', 'undefined/async', 'x'), { asynchronously: lost('undefined/async') });
  const [first, second, third] = http.batch(['undefined/a', `${__ENV.BASE}/get`, ['GET', 'null/b']]);
  check(null, {
    'in a batch': () => lost('undefined/a')(first) && lost('null/b')(third),
    'others of it are sent': () => second.status === 200,
  });
  check(http.get('http://127.0.0.1:99999/'), { 'a port that is none': (r) => r.status === 0 && r.error_code > 1000 });
  for (const url of ['http://127.0.0.1:undefined/', '127.0.0.1:80/a', 'https:// a.test/', undefined]) {
    check(http.get(url), { [`no URL: ${url}`]: (r) => r.status === 0 && r.error_code === 1020 });
  }
  const header = http.get(`${__ENV.BASE}/get`, { headers: { Authorization: 'Bearer of a file\n' } });
  check(header, { 'a header that HTTP forbids': (r) => r.status === 0 && r.error_code === 1000 });
  let thrown = '';
  try {
    http.get('undefined/c', { throw: true });
  } catch (error) {
    thrown = error.toString();
  }
  check(thrown, { 'throws where asked to': (text) => text.includes('unsupported protocol scheme') });
}
