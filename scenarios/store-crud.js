// Store CRUD: set, get, list and delete a key of one's own
//
// 1 to 20 to 50 VUs over 60 s, 50 VUs for 60 s. Each iteration writes a key that no other iteration, VU or run has,
// reads it back and compares, finds it in the list of its prefix, and deletes it. The steps are told apart by the tag
// `name`, so the summary has the percentiles and the error rate of each. What a broken-off iteration leaves behind is
// deleted at the end.
//
//   loadgen run store-crud
//   loadgen run --tunnel root@VPS store-crud
//   loadgen run store-crud --vus 50 --duration 2m
//   loadgen run store-crud --profile smoke
//
// Variable     Default                 Meaning
// PROFILE      default                 the load: default (as above), smoke, load, average, stress, soak, spike, endurance
// STORE_URL    http://localhost:3002   address of store
// KEY_PREFIX   loadgen                 what all keys of the test start with
// VALUE_SIZE   64                      length of a value, in characters, at least
// ACCEPT_402   false                   true: 402 from the payment layer is an expected answer
// THINK_TIME   0                       seconds that a VU pauses after each iteration
import http from 'k6/http';
import { check } from 'k6';
import { body, ok, trendStats, unlessEmpty } from './lib/checks.js';
import { number, text } from './lib/env.js';
import { store, think, turnedAway } from './lib/prim.js';
import { profiles as shared, selected } from './lib/profiles.js';

export const profiles = {
  default: {
    stages: [
      { duration: '30s', target: 20 },
      { duration: '30s', target: 50 },
      { duration: '60s', target: 50 },
    ],
  },
  ...shared,
};

const steps = ['set', 'get', 'list', 'delete'];
const valueSize = number('VALUE_SIZE', 64);

const thresholds = {
  http_req_duration: ['p(95)<500'],
  http_req_failed: ['rate<0.01'],
  checks: ['rate>0.99'],
};
for (const step of steps) {
  thresholds[`http_req_duration{name:${step}}`] = unlessEmpty('p(95)<500');
  thresholds[`http_req_failed{name:${step}}`] = unlessEmpty('rate<0.01');
}

export const options = {
  ...selected(profiles, 'default'),
  thresholds,
  summaryTrendStats: trendStats,
};

function post(step, input) {
  return http.post(`${store}/v1/${step}`, JSON.stringify(input), {
    headers: { 'Content-Type': 'application/json' },
    tags: { service: 'store', name: step },
  });
}

/** A prefix that no other run has, also when several are started in the same millisecond. */
export function setup() {
  const random = Math.floor(Math.random() * 2 ** 32).toString(36);
  return { prefix: `${text('KEY_PREFIX', 'loadgen')}/${Date.now().toString(36)}-${random}` };
}

export default function (run) {
  const prefix = `${run.prefix}/vu${__VU}/`;
  const key = `${prefix}${__ITER}`;
  const value = `${__VU}.${__ITER} `.padEnd(valueSize, 'x');

  const written = post('set', { key, value });
  const stored = check(written, { 'set: stored': (r) => ok(r) || turnedAway(r) });
  // What was not written cannot be read back: one failure must not count four times.
  if (stored && !turnedAway(written)) {
    check(post('get', { key }), { 'get: reads back what was written': (r) => body(r).value === value });
    check(post('list', { prefix }), {
      'list: has the key': (r) => (body(r).keys || []).some((listed) => (listed.key || listed) === key),
    });
    check(post('delete', { key }), { 'delete: deleted': ok });
  }
  think();
}

/** Deletes what iterations left behind that were broken off, under a name of its own: it is no part of any step. */
export function teardown(run) {
  const params = { headers: { 'Content-Type': 'application/json' }, tags: { service: 'store', name: 'clean up' } };
  const listed = http.post(`${store}/v1/list`, JSON.stringify({ prefix: `${run.prefix}/` }), params);
  for (const left of body(listed).keys || []) {
    http.post(`${store}/v1/delete`, JSON.stringify({ key: left.key || left }), params);
  }
}
