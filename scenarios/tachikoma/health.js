// Tachikoma health: GET /api/health
//
// Each VU asks twice a second at most. The answer has to be 200 and to say a status.
//
//   loadgen run tachikoma/health
//   loadgen run tachikoma/health --profile load --env BASE_URL=http://tachikoma.internal:3000
//   loadgen run --demo tachikoma/health --vus 5 --duration 10s
//
// Variable   Default                 Meaning
// PROFILE    smoke                   the load: smoke, load, average, stress, soak, spike, endurance
// BASE_URL   http://localhost:3000   address of the server
import http from 'k6/http';
import { check, sleep } from 'k6';
import { Rate, Trend } from 'k6/metrics';
import { body, trendStats } from '../lib/checks.js';
import { profiles, selected } from '../lib/profiles.js';
import { baseUrl, tags, thresholds } from '../lib/tachikoma.js';

export { profiles };

const errors = new Rate('errors');
const duration = new Trend('health_check_duration', true);

export const options = {
  ...selected(profiles, 'smoke'),
  thresholds: {
    ...thresholds,
    errors: ['rate<0.01'],
    health_check_duration: ['p(95)<100'],
  },
  tags,
  summaryTrendStats: trendStats,
};

export default function () {
  const response = http.get(`${baseUrl}/api/health`, { tags: { name: 'health' } });
  duration.add(response.timings.duration);
  const good = check(response, {
    'status is 200': (r) => r.status === 200,
    'response has status field': (r) => body(r).status !== undefined,
  });
  errors.add(!good);
  sleep(0.5);
}
