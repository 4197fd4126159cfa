// What the StateSet Sequencer scenarios share: where it is, its loads, its targets, and one function for each request.
import http from 'k6/http';
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { uuidv4 } from 'https://jslib.k6.io/k6-utils/1.4.0/index.js';
import { bearerJson } from './auth.js';
import { body, latencies, ok } from './checks.js';
import { address, number, text } from './env.js';
import { between, oneOf } from './pick.js';
import { profiles as shared, profileName } from './profiles.js';

const baseUrl = address('SEQUENCER_BASE_URL', 'http://localhost:8080');
const headers = bearerJson(text('API_KEY', 'test-api-key'));
const nobody = '00000000-0000-0000-0000-000000000000';
const tenant = text('TENANT_ID', nobody);
const store = text('STORE_ID', nobody);
const batchSize = number('BATCH_SIZE', 100);

/** Ten VUs for half a minute unless something else is asked for; 50 and 100 for longer. */
export const profiles = {
  default: { vus: 10, duration: '30s' },
  ...shared,
  load: { vus: 50, duration: '2m' },
  stress: { vus: 100, duration: '5m' },
};

// One VU alone does not make a thousand requests per second, and is not asked to.
const tps = number('MIN_TPS', profileName(profiles, 'default') === 'smoke' ? 0 : 1000);

/** The targets for production, of all requests together and of each kind. */
export function targets(...names) {
  const fast = ['p(50)<20', 'p(95)<50', 'p(99)<100'];
  return {
    http_req_duration: fast,
    ...latencies(Object.fromEntries(names.map((name) => [name, fast]))),
    http_req_failed: ['rate==0'],
    http_reqs: [`rate>=${tps}`],
    checks: ['rate==1'],
  };
}

const ingested = new Counter('events_ingested');

// Few enough entities that each has a history.
const entity = () => `load-test-${between(0, 99)}`;

function post(name, path, input) {
  const inStore = { tenant_id: tenant, store_id: store, ...input };
  return http.post(`${baseUrl}${path}`, JSON.stringify(inStore), { headers, tags: { name } });
}

function get(name, path, query = '') {
  const inStore = `tenant_id=${tenant}&store_id=${store}${query}`;
  return http.get(`${baseUrl}${path}?${inStore}`, { headers, tags: { name } });
}

/** Events with ids of their own. Chance makes one id for the batch: a hundred would cost more than the request. */
function batch() {
  const id = uuidv4().slice(0, 24);
  return Array.from({ length: batchSize }, (_, n) => ({
    event_id: `${id}${n.toString(16).padStart(12, '0')}`,
    entity_type: 'order',
    entity_id: entity(),
    event_type: oneOf(['order.created', 'order.updated', 'order.shipped']),
    payload: { amount: between(1, 10000), currency: 'USD' },
  }));
}

/** Writes a batch of events. */
export function ingest() {
  const response = post('ingest', '/api/v1/ves/events/ingest', { events: batch() });
  const { events_accepted: accepted = 0 } = ok(response) ? body(response) : {};
  ingested.add(accepted);
  check(response, { 'ingest: all events are accepted': () => accepted === batchSize });
}

/** A page of events, from anywhere up to `head`. */
export function events(head) {
  const response = get('events', '/api/v1/events', `&from=${between(1, head)}&limit=100`);
  check(response, { 'events: a list': (r) => Array.isArray(body(r).events) });
}

/** The latest sequence number. */
export function head() {
  check(get('head', '/api/v1/head'), { 'head: a number': (r) => body(r).head_sequence >= 0 });
}

/** The history of an entity. */
export function history() {
  const response = get('entity', `/api/v1/entities/order/${entity()}`);
  check(response, { 'entity: its events': (r) => Array.isArray(body(r).events) });
}

/** The commitments so far. */
export function commitments() {
  const response = get('commitments', '/api/v1/ves/commitments');
  check(response, { 'commitments: a list': (r) => Array.isArray(body(r).commitments) });
}

/** Commits to the events so far. */
export function commit() {
  check(post('commit', '/api/v1/ves/commitments', {}), { 'commit: done': ok });
}

/** The proof that the last event of the latest commitment is part of it. Of older ones the server may have forgotten all. */
export function proof() {
  const { commitments: [last] = [] } = body(get('latest', '/api/v1/ves/commitments', '&limit=1'));
  const sequence = last ? last.sequence_end : 1;
  check(get('proof', `/api/v1/ves/proofs/${sequence}`), { 'proof: there is one': ok });
}

/** Something to read, and a commitment to it: the sequence number up to which there are events. */
export function prepare() {
  const written = post('prepare', '/api/v1/ves/events/ingest', { events: batch() });
  const committed = post('prepare', '/api/v1/ves/commitments', {});
  if (!ok(written) || !ok(committed)) {
    throw new Error(`nothing to read: writing events answered ${written.status}, committing ${committed.status}`);
  }
  return body(written).head_sequence;
}
