// iterations: 1
// http_reqs: 0
// checks: 2
import http from 'k6/http';
import { check } from 'k6';

export const options = { throw: true, thresholds: { http_reqs: ['count==0'] } };

export default async function () {
  let message = '';
  try {
    http.get(`${__ENV.BASE}/get`, { timeout: 'soon' });
  } catch (error) {
    message = error.message;
  }
  const rejected = await http.asyncRequest('GET', `${__ENV.BASE}/get`, null, { timeout: 'soon' }).catch((error) => error.message);
  check(null, {
    'it throws': () => message.includes('timeout'),
    'it rejects': () => rejected.includes('timeout'),
  });
}
