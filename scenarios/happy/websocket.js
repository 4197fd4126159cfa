// Happy Server WebSocket over HTTP: its statistics, and broadcasts
//
// An iteration reads /v1/websocket/stats, broadcasts one message to all who listen, and rests for a second.
//
//   loadgen run happy/websocket
//   loadgen run happy/websocket --profile average --env AUTH_TOKEN=your-token
//   loadgen run --demo happy/websocket --vus 10 --duration 10s
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
import { acceptance, profiles, signIn, think, websocket } from '../lib/happy.js';
import { selected } from '../lib/profiles.js';

export { profiles };

export const options = {
  ...selected(profiles, 'smoke'),
  thresholds: acceptance('websocket stats', 'websocket broadcast'),
  summaryTrendStats: trendStats,
};

export function setup() {
  return signIn();
}

export default function (user) {
  websocket(user);
  think();
}
