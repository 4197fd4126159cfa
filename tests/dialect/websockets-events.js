// checks: 8
// ws_sessions: 1
// ws_msgs_sent: 4
// ws_msgs_received: 2
// samples ws_session_duration{kind:chat}: 1
// iterations: 1
import { WebSocket } from 'k6/websockets';
import { check } from 'k6';

export default function () {
  const socket = new WebSocket(`${__ENV.WS}/echo`, null, { tags: { kind: 'chat' } });
  socket.binaryType = 'arraybuffer';
  const seen = [];
  check(socket, { connecting: (s) => s.readyState === 0 && s.url.endsWith('/echo') && s.bufferedAmount === 0 });
  socket.addEventListener('open', () => {
    seen.push(socket.readyState);
    socket.send('text');
    socket.send(new Uint8Array([1, 2]));
    socket.ping();
  });
  socket.onmessage = (event) => {
    seen.push(event.data);
    if (seen.length === 3) socket.close(1000, 'done');
  };
  socket.onerror = (event) => seen.push(event.error);
  socket.addEventListener('close', (event) => {
    check(seen, {
      open: (s) => s[0] === 1,
      'a text': (s) => s[1] === 'text',
      bytes: (s) => s[2] instanceof ArrayBuffer && s[2].byteLength === 2,
      'nothing more': (s) => s.length === 3,
    });
    check(event, { closed: () => socket.readyState === 3, 'its code': (e) => e.code === 1000 || e.code === undefined, 'its type': (e) => e.type === 'close' });
  });
}
