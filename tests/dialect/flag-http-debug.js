// args: --http-debug=full
// says: GET /get HTTP/1.1
// says: HTTP/1.1 200
// says: X-Shown: yes
import http from 'k6/http';

export default function () {
  http.get(`${__ENV.BASE}/get`, { headers: { 'X-Shown': 'yes' } });
}
