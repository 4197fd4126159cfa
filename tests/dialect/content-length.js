// iterations: 1
// http_reqs: 3
// checks: 3
// says: The specified Content-Length header "99" in the POST request
import http from 'k6/http';
import { check } from 'k6';

// The length of a body is what it is.
export default function () {
  const url = `${__ENV.BASE}/post`;
  const sent = (answer) => answer.json().headers['Content-Length'];
  check(null, {
    'a wrong length is dropped': () => sent(http.post(url, 'four', { headers: { 'Content-Length': '99' } })) === '4',
    'a right one makes no difference': () => sent(http.post(url, 'four', { headers: { 'content-length': 4 } })) === '4',
    'nor does one without a body': () => http.get(`${__ENV.BASE}/get`, { headers: { 'Content-Length': '0' } }).status === 200,
  });
}
