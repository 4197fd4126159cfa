// iterations: 1
// checks: 1
import { check } from 'k6';
import ws from 'k6/ws';
import { WebSocket as Settled } from 'k6/websockets';
import { WebSocket as Experiment } from 'k6/experimental/websockets';
import { setTimeout as early } from 'k6/experimental/timers';

export default function () {
  check(null, { 'are one': () => Settled === Experiment && early === setTimeout && typeof ws.connect === 'function' });
}
