// iterations: 1
// http_reqs: 1
// checks: 1
// says: posted 200 with 1 iterations, checked
import http from 'k6/http';
import { check, group, sleep } from 'k6';
import { Counter } from 'k6/metrics';

const counted = new Counter('counted');

export default function () {
  check(http.get(`${__ENV.BASE}/get`), { ok: (r) => r.status === 200 });
}

// A summary may be sent somewhere; what that needs is in no number of the test.
export function handleSummary(data) {
  const body = JSON.stringify({ iterations: data.metrics.iterations.values.count });
  sleep(0.01);
  const held = group('sending', () => {
    const answer = http.post(`${__ENV.BASE}/post`, body, { headers: { 'Content-Type': 'application/json' } });
    counted.add(1);
    return check(answer, { posted: (r) => r.json().json.iterations === 1 });
  });
  const [answer] = http.batch([`${__ENV.BASE}/get`]);
  console.warn(`posted ${answer.status} with ${data.metrics.iterations.values.count} iterations, ${held ? 'checked' : 'failed'}`);
  return {};
}
