// Tachikoma missions: create a mission, then list them all
//
// Each iteration is the group "Mission CRUD": POST, then GET /api/missions, then a second's rest. The missions run on the
// backend `mock`: what is measured is the server, not a model.
//
//   loadgen run tachikoma/missions
//   loadgen run tachikoma/missions --profile load --env API_KEY=your-key
//   loadgen run --demo tachikoma/missions --vus 5 --duration 10s
//
// Variable   Default                 Meaning
// PROFILE    smoke                   the load: smoke, load, average, stress, soak, spike, endurance
// BASE_URL   http://localhost:3000   address of the server
// API_KEY    test-api-key            the bearer token
import http from 'k6/http';
import { check, group, sleep } from 'k6';
import { Counter, Rate, Trend } from 'k6/metrics';
import { bearerJson } from '../lib/auth.js';
import { body, trendStats } from '../lib/checks.js';
import { profiles, selected } from '../lib/profiles.js';
import { apiKey, baseUrl, tags, thresholds } from '../lib/tachikoma.js';

export { profiles };

const errors = new Rate('errors');
const createDuration = new Trend('mission_create_duration', true);
const listDuration = new Trend('mission_list_duration', true);
const created = new Counter('missions_created');

export const options = {
  ...selected(profiles, 'smoke'),
  thresholds: {
    ...thresholds,
    errors: ['rate<0.05'],
    mission_create_duration: ['p(95)<1000'],
    mission_list_duration: ['p(95)<500'],
  },
  tags,
  summaryTrendStats: trendStats,
};

const headers = bearerJson(apiKey);

function create() {
  const mission = {
    name: `Load Test Mission ${Date.now()}`,
    prompt: 'This is a load test prompt',
    backend: 'mock',
  };
  const params = { headers, tags: { name: 'mission create' } };
  const response = http.post(`${baseUrl}/api/missions`, JSON.stringify(mission), params);
  createDuration.add(response.timings.duration);
  const good = check(response, {
    'create status is 201': (r) => r.status === 201,
    'create returns id': (r) => body(r).id !== undefined,
  });
  if (good) {
    created.add(1);
  }
  errors.add(!good);
}

function list() {
  const response = http.get(`${baseUrl}/api/missions`, { headers, tags: { name: 'mission list' } });
  listDuration.add(response.timings.duration);
  const good = check(response, {
    'list status is 200': (r) => r.status === 200,
    'list returns array': (r) => Array.isArray(body(r)),
  });
  errors.add(!good);
}

export default function () {
  group('Mission CRUD', () => {
    create();
    list();
  });
  sleep(1);
}
