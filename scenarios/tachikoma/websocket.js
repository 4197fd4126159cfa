// Tachikoma WebSocket: sessions that subscribe to the channel `missions` and listen
//
// An iteration is one session: it opens, subscribes, counts what comes, and closes after WS_HOLD seconds. `ws_errors` is the
// share of sessions that did not open or were broken off.
//
//   loadgen run tachikoma/websocket
//   loadgen run tachikoma/websocket --profile load --env WS_URL=ws://tachikoma.internal:3000/ws
//   loadgen run --demo tachikoma/websocket --vus 20 --duration 10s --env WS_HOLD=5
//
// Variable   Default                  Meaning
// PROFILE    smoke                    the load: smoke, load, average, stress, soak, spike, endurance
// WS_URL     ws://localhost:3000/ws   address of the WebSocket
// API_KEY    test-api-key             the token
// WS_HOLD    30                       seconds that a session stays open
import ws from 'k6/ws';
import { check, sleep } from 'k6';
import { Counter, Rate } from 'k6/metrics';
import { trendStats } from '../lib/checks.js';
import { number, text } from '../lib/env.js';
import { profiles, selected } from '../lib/profiles.js';
import { apiKey, tags } from '../lib/tachikoma.js';

export { profiles };

const errors = new Rate('ws_errors');
const received = new Counter('ws_messages_received');
const sent = new Counter('ws_messages_sent');

// The promises on requests are not among these: a session makes none.
export const options = {
  ...selected(profiles, 'smoke'),
  thresholds: { ws_errors: ['rate<0.01'] },
  tags,
  summaryTrendStats: trendStats,
};

const url = `${text('WS_URL', 'ws://localhost:3000/ws')}?token=${encodeURIComponent(apiKey)}`;
const hold = number('WS_HOLD', 30);

/** The message, or an empty object where it is no JSON. */
function parsed(message) {
  try {
    return JSON.parse(message);
  } catch (_) {
    return {};
  }
}

export default function () {
  let broken = false;
  const response = ws.connect(url, { tags: { name: 'missions' } }, (socket) => {
    socket.on('open', () => {
      socket.send(JSON.stringify({ type: 'subscribe', channel: 'missions' }));
      sent.add(1);
      socket.setTimeout(() => socket.close(), hold * 1000);
    });
    socket.on('message', (message) => {
      received.add(1);
      check(parsed(message), { 'message has type': (m) => m.type !== undefined });
    });
    socket.on('error', (error) => {
      // k6 calls what arrives after our own close an error.
      if (error.error() !== 'websocket: close sent') {
        broken = true;
        console.error(`WebSocket error: ${error.error()}`);
      }
    });
  });
  const opened = check(response, { 'WebSocket connection successful': (r) => r && r.status === 101 });
  errors.add(broken || !opened);
  if (!opened) {
    // A server that refuses sessions is not to be asked again without a pause.
    sleep(1);
  }
}
