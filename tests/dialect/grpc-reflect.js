// iterations: 2
// args: --vus 2 --iterations 2
// checks: 12
import { check } from 'k6';
import grpc from 'k6/net/grpc';

const client = new grpc.Client();

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true, reflect: true, reflectMetadata: { 'x-test': 'reflection' } });
  check(client.invoke('room.v1.Room/Echo', { at: '2024-05-06T07:08:09Z', color: 'RED' }), {
    'what the server tells is enough': (r) => r.status === grpc.StatusOK && r.message.at === '2024-05-06T07:08:09Z' && r.message.color === 'RED',
  });
  let thrown = '';
  try {
    client.invoke('room.v1.Room/Nope', {});
  } catch (e) {
    thrown = e.message;
  }
  check(thrown, { 'and all there is': (t) => t === 'method "/room.v1.Room/Nope" not found in file descriptors' });
  check(client, {
    'the server is well': (c) => c.healthCheck().status === grpc.HealthCheckServing,
    'a service is not': (c) => c.healthCheck('room.v1.Ill').status === grpc.HealthCheckNotServing,
  });
  try {
    client.healthCheck('room.v1.None');
  } catch (e) {
    thrown = e.message;
  }
  check(thrown, { 'a service that is none': (t) => t.startsWith('rpc error: code = NotFound desc = ') });
  client.close();
  check(client, { 'closing twice is nothing': (c) => c.close() === undefined });
}
