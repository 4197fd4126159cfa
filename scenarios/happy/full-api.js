// Happy Server full API: sessions 40 %, machines 20 %, artifacts 20 %, WebSocket 10 %, health 10 %
//
// An iteration is one visit to a part of the API, chosen by chance with these weights, and then a second's rest. The weights
// are those of visits: the life of a session is five requests, a look at the health one.
//
//   loadgen run happy/full-api
//   loadgen run happy/full-api --vus 200 --duration 5m --env AUTH_TOKEN=your-token
//   loadgen run --demo happy/full-api --vus 20 --duration 10s
//
// Variable          Default                 Meaning
// PROFILE           smoke                   the load: smoke, average, stress, spike, endurance; load, soak
// BASE_URL          http://localhost:8787   address of the server
// AUTH_TOKEN        test-auth-token         the bearer token
// AUTH_PUBLIC_KEY   (not set)               gets the token from POST /v1/auth, with the next two
// AUTH_CHALLENGE    (not set)               the challenge
// AUTH_SIGNATURE    (not set)               its signature
// THINK_TIME        1                       seconds that a VU pauses after each iteration
import { group } from 'k6';
import { trendStats } from '../lib/checks.js';
import { acceptance, artifacts, health, machines, profiles, sessions, signIn, think, websocket } from '../lib/happy.js';
import { weighted } from '../lib/pick.js';
import { selected } from '../lib/profiles.js';

export { profiles };

export const options = {
  ...selected(profiles, 'smoke'),
  thresholds: acceptance(
    'health',
    'sessions list',
    'sessions create',
    'machines list',
    'artifacts list',
    'websocket stats',
    'websocket broadcast',
  ),
  summaryTrendStats: trendStats,
};

const mix = [
  { weight: 40, name: 'sessions', visit: sessions },
  { weight: 20, name: 'machines', visit: machines },
  { weight: 20, name: 'artifacts', visit: artifacts },
  { weight: 10, name: 'websocket', visit: websocket },
  { weight: 10, name: 'health', visit: health },
];

export function setup() {
  return signIn();
}

export default function (user) {
  const { name, visit } = weighted(mix);
  group(name, () => visit(user));
  think();
}
