// iterations: 1
// http_reqs: 6
// checks: 12
// says: Request Failed
import http from 'k6/http';
import { check } from 'k6';

const get = (params) => http.get(`${__ENV.BASE}/get`, params);

const refused = (answer, part) =>
  answer.status === 0 && answer.error.includes(part) && answer.error_code === 0 && answer.body === null;

// Parameters that cannot be used are answered with an error Response, and no request is counted.
export default async function () {
  check(null, {
    timeout: () => refused(get({ timeout: 'soon' }), 'timeout') && refused(get({ timeout: undefined }), 'timeout'),
    compression: () => refused(http.post(`${__ENV.BASE}/post`, 'x', { compression: 'lzma' }), 'lzma'),
    responseType: () => refused(get({ responseType: 'xml' }), 'xml'),
    responseCallback: () => refused(get({ responseCallback: 5 }), 'responseCallback'),
    'a body of another type': () => refused(http.post(`${__ENV.BASE}/post`, 5), 'body type') && refused(http.post(`${__ENV.BASE}/post`, [1]), 'body type'),
    'a tag without a value': () => refused(get({ tags: { a: undefined } }), "metric tag 'a'"),
    'no URL': () => {
      const answer = http.get(undefined);
      return answer.status === 0 && answer.error_code === 1020;
    },
  });
  const settled = await http.asyncRequest('GET', `${__ENV.BASE}/get`, null, { timeout: {} });
  check(settled, { 'asynchronously, too': (answer) => refused(answer, 'timeout') });
  // What has no effect in the dialect has none here.
  check(null, {
    'a jar that is none': () => get({ jar: 'mine' }).status === 200 && get({ jar: null }).status === 200,
    'a kind of auth that is none': () => get({ auth: 'x' }).status === 200,
    'parts that are not there': () => get({ headers: undefined, cookies: null, tags: undefined }).status === 200,
    'cookies without a value': () => {
      const { cookies } = get({ cookies: { a: null, b: undefined, c: 'c', d: { value: 'd' } } }).json();
      return JSON.stringify(cookies) === '{"c":"c","d":"d"}';
    },
  });
  get();
}
