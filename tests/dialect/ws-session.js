// checks: 7
// ws_sessions: 1
// ws_msgs_sent: 3
// ws_msgs_received: 3
// samples ws_session_duration: 1
// samples ws_connecting: 1
// samples ws_ping: 1
// samples ws_sessions{status:101,kind:chat,subproto:room,group:::talk}: 1
import ws from 'k6/ws';
import { check, group } from 'k6';

export default function () {
  const heard = [];
  const response = group('talk', () => ws.connect(`${__ENV.WS}/echo/subprotocol/room`, { headers: { 'Sec-WebSocket-Protocol': 'room', 'X-A': 'a' }, tags: { kind: 'chat' } }, (socket) => {
    socket.on('open', () => {
      socket.send('one');
      socket.send('two');
      socket.sendBinary(new Uint8Array([7]).buffer);
      socket.ping();
    });
    socket.on('message', (text) => heard.push(text));
    socket.on('binaryMessage', (data) => heard.push(new Uint8Array(data)[0]));
    socket.on('pong', () => heard.push('pong'));
    socket.on('close', (code) => heard.push(`closed ${code}`));
    socket.on('error', (error) => heard.push(`error ${error.error()}`));
    let beats = 0;
    socket.setInterval(() => {
      beats += 1;
    }, 20);
    const look = () => (heard.length < 4 || beats < 2 ? socket.setTimeout(look, 20) : socket.close());
    socket.setTimeout(look, 20);
  }));
  check(response, {
    status: (r) => r.status === 101 && r.error === '' && r.url.startsWith('ws://'),
    headers: (r) => r.headers['Sec-Websocket-Protocol'] === 'room',
  });
  check(heard, {
    texts: (h) => h.includes('one') && h.indexOf('one') < h.indexOf('two'),
    bytes: (h) => h.includes(7),
    pong: (h) => h.includes('pong'),
    'the close': (h) => h.at(-1).startsWith('closed'),
    'no error': (h) => !h.some((what) => String(what).startsWith('error')),
  });
}
