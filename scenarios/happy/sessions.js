// Happy Server sessions: list, create, write and read messages, delete
//
// An iteration is the life of one session, and then a second's rest. Each iteration deletes the session that it made.
//
//   loadgen run happy/sessions
//   loadgen run happy/sessions --vus 10 --duration 1m --env AUTH_TOKEN=your-token
//   loadgen run --demo happy/sessions --vus 10 --duration 10s
//
// Variable          Default                 Meaning
// PROFILE           smoke                   the load: smoke, average, stress, spike, endurance; load, soak
// BASE_URL          http://localhost:8787   address of the server
// AUTH_TOKEN        test-auth-token         the bearer token
// AUTH_PUBLIC_KEY   (not set)               gets the token from POST /v1/auth, with the next two
// AUTH_CHALLENGE    (not set)               the challenge
// AUTH_SIGNATURE    (not set)               its signature
// THINK_TIME        1                       seconds that a VU pauses after each iteration
import { trendStats } from '../lib/checks.js';
import { acceptance, profiles, sessions, signIn, think } from '../lib/happy.js';
import { selected } from '../lib/profiles.js';

export { profiles };

export const options = {
  ...selected(profiles, 'smoke'),
  thresholds: acceptance('sessions list', 'sessions create'),
  summaryTrendStats: trendStats,
};

export function setup() {
  return signIn();
}

export default function (user) {
  sessions(user);
  think();
}
