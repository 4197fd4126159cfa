// Tachikoma specs: read a spec by its id, and search for a word
//
// Each iteration is the group "Spec Operations": a spec by chance, a word by chance, then half a second's rest. A spec that
// does not exist (404) is a right answer: it counts neither as a failed request nor as an error.
//
//   loadgen run tachikoma/specs
//   loadgen run tachikoma/specs --profile load --env API_KEY=your-key
//   loadgen run --demo tachikoma/specs --vus 5 --duration 10s
//
// Variable   Default                 Meaning
// PROFILE    smoke                   the load: smoke, load, average, stress, soak, spike, endurance
// BASE_URL   http://localhost:3000   address of the server
// API_KEY    test-api-key            the bearer token
import http from 'k6/http';
import { check, group, sleep } from 'k6';
import { Rate, Trend } from 'k6/metrics';
import { bearer } from '../lib/auth.js';
import { body, trendStats } from '../lib/checks.js';
import { oneOf } from '../lib/pick.js';
import { profiles, selected } from '../lib/profiles.js';
import { apiKey, baseUrl, tags, thresholds } from '../lib/tachikoma.js';

export { profiles };

const errors = new Rate('errors');
const getDuration = new Trend('spec_get_duration', true);
const searchDuration = new Trend('spec_search_duration', true);

export const options = {
  ...selected(profiles, 'smoke'),
  thresholds: {
    ...thresholds,
    errors: ['rate<0.05'],
    spec_get_duration: ['p(95)<300'],
    spec_search_duration: ['p(95)<500'],
  },
  tags,
  summaryTrendStats: trendStats,
};

const headers = bearer(apiKey);
const specs = ['001', '002', '003', '010', '020', '050', '100'];
const words = ['config', 'test', 'loop', 'backend', 'ui'];
const foundOrNot = http.expectedStatuses(200, 404);

function read() {
  const params = { headers, responseCallback: foundOrNot, tags: { name: 'spec get' } };
  const response = http.get(`${baseUrl}/api/specs/${oneOf(specs)}`, params);
  getDuration.add(response.timings.duration);
  const good = check(response, {
    'get status is 200 or 404': (r) => r.status === 200 || r.status === 404,
  });
  errors.add(!good);
}

function search() {
  const params = { headers, tags: { name: 'spec search' } };
  const response = http.get(`${baseUrl}/api/specs/search?q=${oneOf(words)}`, params);
  searchDuration.add(response.timings.duration);
  const good = check(response, {
    'search status is 200': (r) => r.status === 200,
    'search returns array': (r) => Array.isArray(body(r)),
  });
  errors.add(!good);
}

export default function () {
  group('Spec Operations', () => {
    read();
    search();
  });
  sleep(0.5);
}
