// http_reqs: 3
// checks: 3
import tempo from 'https://jslib.k6.io/http-instrumentation-tempo/1.0.0/index.js';
import { Client } from 'k6/experimental/tracing';
import http from 'k6/http';
import { check } from 'k6';

tempo.instrumentHTTP({ propagator: 'w3c' });
const jaeger = new Client({ propagator: 'jaeger', baggage: { user: 'u v' } });

export default function () {
  const header = (r, name) => r.json().headers[name];
  check(http.get(`${__ENV.BASE}/get`, { headers: { 'X-A': 'a' } }), {
    w3c: (r) => /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/.test(header(r, 'Traceparent')) && header(r, 'X-A') === 'a',
  });
  check(jaeger.post(`${__ENV.BASE}/post`, 'x'), {
    jaeger: (r) => /^[0-9a-f]{32}:[0-9a-f]{8}:0:1$/.test(header(r, 'Uber-Trace-Id')) && header(r, 'Baggage') === 'user=u%20v' && r.json('data') === 'x',
  });
  check(http.batch([`${__ENV.BASE}/get`])[0], { batch: (r) => header(r, 'Traceparent') !== undefined });
}
