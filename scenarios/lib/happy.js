// What the Happy Server scenarios share: where it is, who asks, its loads, its promises, and what users do there.
import http from 'k6/http';
import { check, sleep } from 'k6';
import { bearer, bearerJson } from './auth.js';
import { body, latencies, ok } from './checks.js';
import { address, number, text } from './env.js';
import { profileName, profiles as shared } from './profiles.js';

const baseUrl = address('BASE_URL', 'http://localhost:8787');

/** Its own peaks: 200 users and more for minutes, and a jump that is over within one. */
export const profiles = {
  ...shared,
  stress: {
    stages: [
      { duration: '1m', target: 100 },
      { duration: '1m', target: 200 },
      { duration: '3m', target: 250 },
      { duration: '1m', target: 0 },
    ],
  },
  spike: {
    stages: [
      { duration: '10s', target: 10 },
      { duration: '5s', target: 200 },
      { duration: '30s', target: 200 },
      { duration: '5s', target: 10 },
      { duration: '10s', target: 0 },
    ],
  },
};

const promises = {
  health: ['p(95)<50', 'p(99)<100'],
  'sessions list': ['p(95)<200', 'p(99)<400'],
  'sessions create': ['p(95)<300', 'p(99)<500'],
  'machines list': ['p(95)<200', 'p(99)<400'],
  'artifacts list': ['p(95)<200', 'p(99)<400'],
  'websocket stats': ['p(95)<100', 'p(99)<200'],
  'websocket broadcast': ['p(95)<200', 'p(99)<400'],
};

// The promise of 1000 requests a minute is one for a hundred users and more.
const crowds = ['average', 'stress', 'spike'];

/** The promises on all requests, and those on these endpoints. */
export function acceptance(...names) {
  const crowd = crowds.includes(profileName(profiles, 'smoke'));
  return {
    http_req_duration: ['p(95)<500', 'p(99)<1000'],
    http_req_failed: ['rate<0.01'],
    checks: ['rate>0.99'],
    ...(crowd ? { http_reqs: [`rate>=${(1000 / 60).toFixed(2)}`] } : {}),
    ...latencies(Object.fromEntries(names.map((name) => [name, promises[name]]))),
  };
}

/** The token of the test: AUTH_TOKEN, or what `POST /v1/auth` gives for a public key and a signed challenge. */
export function signIn() {
  const publicKey = text('AUTH_PUBLIC_KEY');
  if (!publicKey) {
    return { token: text('AUTH_TOKEN', 'test-auth-token') };
  }
  const proof = { publicKey, challenge: text('AUTH_CHALLENGE'), signature: text('AUTH_SIGNATURE') };
  const params = { headers: { 'Content-Type': 'application/json' }, tags: { name: 'auth' } };
  const response = http.post(`${baseUrl}/v1/auth`, JSON.stringify(proof), params);
  const { token } = body(response);
  if (!token) {
    throw new Error(`no token: POST /v1/auth answered ${response.status} ${response.error}`);
  }
  return { token };
}

function get(name, path, token) {
  return http.get(`${baseUrl}${path}`, { headers: bearer(token), tags: { name } });
}

function post(name, path, input, token) {
  return http.post(`${baseUrl}${path}`, JSON.stringify(input), { headers: bearerJson(token), tags: { name } });
}

/** Whether it is alive. */
export function health() {
  const response = http.get(`${baseUrl}/health`, { tags: { name: 'health' } });
  check(response, {
    'health: status is 200': (r) => r.status === 200,
    'health: says ok': (r) => body(r).status === 'ok',
  });
}

/** The life of a session: the list, a new one, a message to it, its messages, and its end. */
export function sessions({ token }) {
  check(get('sessions list', '/v1/sessions', token), {
    'sessions list: a list': (r) => Array.isArray(body(r).sessions),
  });
  const input = { tag: `load-test-${__VU}-${Date.now()}`, metadata: '{}' };
  const made = post('sessions create', '/v1/sessions', input, token);
  const { id } = body(made).session || {};
  // Without a session there is nothing to write to: one failure must not count four times.
  if (!check(made, { 'sessions create: has an id': () => ok(made) && id !== undefined })) {
    return;
  }
  const path = `/v1/sessions/${encodeURIComponent(id)}`;
  check(post('messages create', `${path}/messages`, { content: 'This is a load test message' }, token), {
    'messages create: written': ok,
  });
  check(get('messages list', `${path}/messages`, token), {
    'messages list: has the message': (r) => (body(r).messages || []).length > 0,
  });
  check(http.del(`${baseUrl}${path}`, null, { headers: bearer(token), tags: { name: 'sessions delete' } }), {
    'sessions delete: deleted': ok,
  });
}

/** The machines, and the VU's own, which registers under the same id each time. */
export function machines({ token }) {
  check(get('machines list', '/v1/machines', token), {
    'machines list: a list': (r) => Array.isArray(body(r).machines),
  });
  check(post('machines create', '/v1/machines', { id: `load-test-${__VU}`, metadata: '{}' }, token), {
    'machines create: registered': ok,
  });
}

/** The artifacts, and the VU's own, under the same id each time. */
export function artifacts({ token }) {
  check(get('artifacts list', '/v1/artifacts', token), {
    'artifacts list: a list': (r) => Array.isArray(body(r).artifacts),
  });
  check(post('artifacts create', '/v1/artifacts', { id: `load-test-${__VU}`, header: '{}', body: '{}' }, token), {
    'artifacts create: written': ok,
  });
}

/** The WebSocket's figures, and a message to all who listen. */
export function websocket({ token }) {
  check(get('websocket stats', '/v1/websocket/stats', token), {
    'websocket stats: says connections': (r) => body(r).connections >= 0,
  });
  check(post('websocket broadcast', '/v1/websocket/broadcast', { type: 'load-test', payload: { vu: __VU } }, token), {
    'websocket broadcast: sent': ok,
  });
}

const thinkTime = number('THINK_TIME', 1);

/** The pause of a user between two iterations. */
export function think() {
  if (thinkTime > 0) {
    sleep(thinkTime);
  }
}
