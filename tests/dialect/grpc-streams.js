// iterations: 1
// checks: 13
// grpc_streams: 8
// grpc_streams_msgs_sent: 11
// grpc_streams_msgs_received: 13
import { check } from 'k6';
import { Client, Stream, StatusAborted } from 'k6/net/grpc';

const client = new Client();
client.load(['protos'], 'room.proto');

function events(method, params, act) {
  return new Promise((resolve) => {
    const stream = new Stream(client, `room.v1.Room/${method}`, params);
    const seen = [];
    stream.on('data', (message, beside) => seen.push(['data', message, typeof beside.ts]));
    stream.on('error', (error) => seen.push(['error', error]));
    stream.on('end', () => (seen.push(['end']), resolve(seen)));
    stream.on('nonsense', () => {});
    act(stream);
  });
}

export default async function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  const kinds = (seen) => seen.map(([kind]) => kind).join(' ');

  // One message is all that the method takes: it needs no end().
  const counted = await events('Count', { tags: { way: 'down' } }, (s) => s.write({ first: 1, last: 3 }));
  check(counted, {
    'from the server': (s) => kinds(s) === 'data data data end' && s.slice(0, 3).map(([, m]) => m.value).join() === '1,2,3',
    'with the time': (s) => s[0][2] === 'number',
  });

  const summed = await events('Sum', {}, (s) => {
    [1, 2, 3, 4].forEach((value) => s.write({ value }));
    s.end();
    s.write({ value: 100 });
  });
  check(summed, { 'to the server': (s) => kinds(s) === 'data end' && s[0][1].value === 10 });

  let left = ['a', 'b', 'c'];
  const chatted = await events('Chat', { metadata: { 'x-own': 'yes' } }, (s) => {
    s.write({ text: left.shift() });
    s.on('data', () => (left.length > 0 ? s.write({ text: left.shift() }) : s.end()));
  });
  check(chatted, { 'both ways': (s) => kinds(s) === 'data data data end' && s[2][1].text === 'c' });

  const failed = await events('Count', {}, (s) => s.write({ first: 1, last: 2, fail: true }));
  check(failed, {
    'an error comes before the end': (s) => kinds(s) === 'data data error end',
    'and says what it is': (s) => s[2][1].code === StatusAborted && s[2][1].message === 'as asked' && s[2][1].details.length === 0,
  });

  const wrong = await events('Chat', {}, (s) => s.write({ nope: 1 }));
  check(wrong, {
    'what does not fit ends it': (s) => kinds(s) === 'error end' && s[0][1].code === 2,
    'and is said': (s) => s[0][1].message.includes("can't serialise request object to protocol buffer: room.v1.Line"),
  });

  const late = await events('Chat', { timeout: 2000 }, (s) => s.write({ text: 'wait' }));
  check(late, {
    'a timeout': (s) => kinds(s) === 'data error end',
    'is a deadline': (s) => s[1][1].code === 4,
  });

  const unread = await events('Count', { discardResponseMessage: true }, (s) => s.write({ first: 1, last: 2 }));
  check(unread, { 'messages can be dropped': (s) => kinds(s) === 'data data end' && Object.keys(s[0][1]).length === 0 });

  const nothing = await events('Sum', {}, (s) => (s.write(null), s.end()));
  check(nothing, { 'an empty message is not sent': (s) => kinds(s) === 'data end' && s[0][1].value === 0 });

  check(null, { 'after all of it calls work': () => client.invoke('room.v1.Room/Greet', 'x').status === 0 });
  client.close();
}
