// iterations: 1
// checks: 26
import { check } from 'k6';
import grpc, { Client, StatusOK } from 'k6/net/grpc';
import experimental from 'k6/experimental/grpc';

const client = new Client();
const methods = client.load(['protos'], 'room.proto');

export default async function () {
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  check(methods, {
    'load tells the methods': (m) => m.length === 7 && same(m[0], { package: 'room.v1', service: 'Room', full_method: '/room.v1.Room/Echo' }),
    'one module, two names': () => experimental.Client === Client && grpc.StatusOK === StatusOK,
    'connect returns true': () => client.connect(__ENV.GRPC, { plaintext: true, timeout: '10s' }) === true,
  });

  const sent = {
    truth: true, small: -7, large: '9007199254740993', positive: 4294967295, huge: '18446744073709551615', zigzag: -1, fixed: 8,
    single: 2.7, twice: 0.1, text: '水', raw: 'AAEC', color: 'GREEN', inner: { name: 'a', next: { name: 'b' } }, numbers: [1, 2, 3],
    inners: [{ name: 'c' }], counts: { b: 2, a: '1' }, byNumber: { 7: { name: 'seven' } }, word: 'w', maybe: 0,
    at: '2024-05-06T07:08:09.5Z', took: '1.500s', free: { a: [1, null, 'x'] }, wrapped: '12', mask: 'inner,snakeCaseName',
    any: { '@type': 'type.googleapis.com/kinds.Everything.Inner', name: 'packed' }, snakeCaseName: 's',
  };
  const full = client.invoke('room.v1.Room/Echo', sent);
  const m = full.message;
  check(full, {
    'status is OK': (r) => r.status === grpc.StatusOK && r.error === null,
    '64 bits are text': () => m.large === '9007199254740993' && m.huge === '18446744073709551615' && m.fixed === '8' && m.counts.b === '2',
    'floats are as written': () => m.single === 2.7 && m.twice === 0.1,
    'enums are names': () => m.color === 'GREEN',
    'bytes are base64': () => m.raw === 'AAEC',
    'nested and repeated': () => m.inner.next.name === 'b' && m.inner.next.next === null && same(m.numbers, [1, 2, 3]) && m.inners[0].name === 'c',
    'maps': () => same(m.counts, { a: '1', b: '2' }) && m.byNumber[7].name === 'seven',
    'oneof and optional': () => m.word === 'w' && !('number' in m) && m.maybe === 0,
    'well-known types': () => m.at === '2024-05-06T07:08:09.500Z' && m.took === '1.500s' && same(m.free, { a: [1, null, 'x'] }) && m.wrapped === '12' && m.mask === 'inner,snakeCaseName',
    'any': () => m.any.name === 'packed' && m.any['@type'] === 'type.googleapis.com/kinds.Everything.Inner',
    'names in camel case': () => m.snakeCaseName === 's' && m.positive === 4294967295 && m.small === -7 && m.text === '水',
  });

  const empty = client.invoke('/room.v1.Room/Echo', { snake_case_name: 'x', color: 1, twice: NaN, single: -Infinity }).message;
  check(empty, {
    'defaults are there': (e) => e.truth === false && e.small === 0 && e.large === '0' && e.text === '' && e.raw === '' && same(e.numbers, []) && same(e.counts, {}),
    'messages that are not set are null': (e) => e.inner === null && e.at === null && e.wrapped === null,
    'what is in a oneof or optional is left out': (e) => !('word' in e) && !('maybe' in e),
    'names and numbers of protobuf are taken': (e) => e.snakeCaseName === 'x' && e.color === 'RED',
    'what JSON cannot say': (e) => e.twice === 'NaN' && e.single === '-Infinity',
  });

  const told = client.invoke('room.v1.Room/Tell', {}, {
    metadata: { 'X-Name': 'value', 'x-bytes-bin': new Uint8Array([2, 200]), te: 'ignored' }, timeout: 5000, tags: { kind: 'tell' },
  });
  check(told, {
    'metadata arrives': (r) => r.message.metadata['x-name'] === 'value' && r.message.metadata['x-bytes-bin'] === 'Asg',
    'as do the deadline and the agent': (r) => /^\d+[num]$/.test(r.message.metadata['grpc-timeout']) && r.message.metadata['user-agent'].startsWith('loadgen/'),
    'headers and trailers come': (r) => same(r.headers['x-head'], ['one', 'two']) && same(r.trailers['x-tail'], ['end']) && r.headers['content-type'][0] === 'application/grpc',
    'binary ones decoded': (r) => r.trailers['x-tail-bin'][0] === 'abc',
    'text for a wrapper': () => client.invoke('room.v1.Room/Greet', 'John').message === 'hey John',
    'a message can be dropped': () => client.invoke('room.v1.Room/Greet', 'John', { discardResponseMessage: true }).message === null,
  });

  const all = await Promise.all([1, 2, 3].map((n) => client.asyncInvoke('room.v1.Room/Echo', { small: n })));
  check(all, { 'promises': (a) => same(a.map((r) => r.message.small), [1, 2, 3]) });
  client.close();
}
