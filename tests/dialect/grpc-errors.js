// iterations: 1
// checks: 34
import { check } from 'k6';
import grpc from 'k6/net/grpc';

const client = new grpc.Client();
const thrown = (f) => {
  try {
    f();
  } catch (e) {
    return String(e.message);
  }
  return 'nothing was thrown';
};
const init = {
  missing: thrown(() => client.load([], './does_not_exist.proto')),
  folder: thrown(() => client.load(['protos/kinds'], 'room.proto')),
  broken: thrown(() => client.load(['lib'], 'broken.proto')),
  protoset: thrown(() => client.loadProtoset('./does_not_exist.protoset')),
  noset: thrown(() => client.loadProtoset('protos/room.proto')),
  connect: thrown(() => client.connect('127.0.0.1:1')),
  invoke: thrown(() => client.invoke('a/b', {})),
};
client.load(['./protos'], './room.proto');

export default function () {
  const says = (name, text, part) => check(text, { [name]: (t) => t.includes(part) || (console.error(`${name}: ${t}`), false) });
  says('a missing file', init.missing, 'cannot load "./does_not_exist.proto": no such file or directory');
  says('a missing import', init.folder, 'no such file or directory in protos/kinds');
  says('a mistake has its place', init.broken, 'broken.proto:5:');
  says('a missing set', init.protoset, "couldn't open protoset");
  says('a set that is none', init.noset, "couldn't unmarshal protoset file protos/room.proto");
  says('no connection at the top level', init.connect, 'connecting to a gRPC server in the init context is not supported');
  says('no call at the top level', init.invoke, 'invoking RPC methods in the init context is not supported');
  says('no load later', thrown(() => client.load([], 'room.proto')), 'load must be called in the init context');
  says('a call without connection', thrown(() => client.invoke('room.v1.Room/Tell', {})), 'no gRPC connection, you must call connect first');
  says('a stream without connection', thrown(() => new grpc.Stream(client, 'room.v1.Room/Chat')), "invalid GRPC Stream's client: no gRPC connection");
  says('a stream of nothing', thrown(() => new grpc.Stream(null, 'x')), "invalid GRPC Stream's client: empty gRPC client");

  says('a parameter that is none', thrown(() => client.connect(__ENV.GRPC, { name: 'x' })), 'invalid grpc.connect() parameters: unknown connect param: "name"');
  says('a wrong type', thrown(() => client.connect(__ENV.GRPC, { plaintext: 'true' })), `invalid plaintext value: '"true"', it needs to be boolean`);
  says('a wrong timeout', thrown(() => client.connect(__ENV.GRPC, { timeout: 'k6' })), 'invalid duration');
  says('a wrong size', thrown(() => client.connect(__ENV.GRPC, { maxReceiveSize: -1 })), 'it needs to be a positive integer');
  says('wrong TLS', thrown(() => client.connect(__ENV.GRPC, { tls: { cert: 0 } })), 'invalid tls cert value');
  says('an address without port', thrown(() => client.connect('localhost', { plaintext: true })), 'missing port in address');
  says('an address with scheme', thrown(() => client.connect('http://localhost:1', { plaintext: true })), 'without a scheme');
  says('a server that is not there', thrown(() => client.connect('127.0.0.1:1', { plaintext: true })), 'connection error: desc = "transport: error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"');

  client.connect(__ENV.GRPC, { plaintext: true, maxReceiveSize: 1000, maxSendSize: 100 });
  says('an unknown method', thrown(() => client.invoke('foo/bar', {})), 'method "/foo/bar" not found in file descriptors');
  says('no method', thrown(() => client.invoke('', {})), 'method to invoke cannot be empty');
  says('no request', thrown(() => client.invoke('room.v1.Room/Tell')), 'request cannot be nil');
  says('an unknown parameter', thrown(() => client.invoke('room.v1.Room/Tell', {}, { void: true })), 'unknown param: "void"');
  says('metadata of the wrong type', thrown(() => client.invoke('room.v1.Room/Tell', {}, { metadata: { a: 1 } })), 'invalid metadata param: "a" value must be a string');
  says('binary metadata of the wrong type', thrown(() => client.invoke('room.v1.Room/Tell', {}, { metadata: { 'a-bin': 'x' } })), '"a-bin" value must be binary');
  says('a field that is none', thrown(() => client.invoke('room.v1.Room/Fail', { nope: 1 })), 'unable to serialise request object to protocol buffer: room.v1.Failure');
  says('a value of the wrong type', thrown(() => client.invoke('room.v1.Room/Fail', { code: 'many' })), 'room.v1.Failure');

  const failed = client.invoke('room.v1.Room/Fail', { code: 5, message: 'no such 水', reason: 'NO_STOCK' });
  check(failed, {
    'a failure returns': (r) => r.status === grpc.StatusNotFound && r.error.code === 5 && r.error.message === 'no such 水',
    'with its details': (r) => r.error.details.length === 1 && r.error.details[0].reason === 'NO_STOCK' && r.error.details[0]['@type'].endsWith('google.rpc.ErrorInfo'),
    'and the empty message': (r) => r.message.calls === 0 && r.message.authority === '',
  });
  const late = client.invoke('room.v1.Room/Fail', { afterMs: 20000 }, { timeout: '200ms' });
  check(late, { 'a deadline': (r) => r.status === grpc.StatusDeadlineExceeded && r.error.message.includes('deadline') });
  const large = client.invoke('room.v1.Room/Fail', { size: 2000 });
  check(large, { 'a message that is too large': (r) => r.status === grpc.StatusResourceExhausted && /received message larger than max \(\d+ vs. 1000\)/.test(r.error.message) });
  const huge = client.invoke('room.v1.Room/Fail', { message: 'x'.repeat(200) });
  check(huge, { 'or too large to send': (r) => r.status === 8 && r.error.message === 'trying to send message larger than max (203 vs. 100)' });
  const missing = client.invoke('room.v1.Room/Fail', { code: 12, message: 'm' });
  check(missing, { 'the connection lives on': (r) => r.status === grpc.StatusUnimplemented && grpc.StatusUnauthenticated === 16 });
  client.close();
}
