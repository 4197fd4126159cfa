// Happy Server health: GET /health
//
// The quickest answer that the server has, without a token. A user asks, and waits a second.
//
//   loadgen run happy/health
//   loadgen run happy/health --profile average --env BASE_URL=https://staging.example.com
//   loadgen run --demo happy/health --vus 10 --duration 10s
//
// Variable     Default                 Meaning
// PROFILE      smoke                   the load: smoke, average, stress, spike, endurance; load, soak
// BASE_URL     http://localhost:8787   address of the server
// THINK_TIME   1                       seconds that a VU pauses after each iteration
import { trendStats } from '../lib/checks.js';
import { acceptance, health, profiles, think } from '../lib/happy.js';
import { selected } from '../lib/profiles.js';

export { profiles };

export const options = {
  ...selected(profiles, 'smoke'),
  thresholds: acceptance('health'),
  summaryTrendStats: trendStats,
};

export default function () {
  health();
  think();
}
