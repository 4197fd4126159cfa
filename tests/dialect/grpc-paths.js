// iterations: 1
// checks: 2
import { check } from 'k6';
import { Client } from 'k6/net/grpc';

// Paths are cleaned by their text: a folder on the way need not be there.
const client = new Client();
const methods = client.load(['not-there/../protos'], 'deeper/../room.proto');
const text = open('./nowhere/../grpc-paths.js');

export default function () {
  check(methods, {
    'proto files': (list) => list.some((method) => method.full_method === '/room.v1.Room/Echo'),
    'others': () => text.includes('not-there'),
  });
}
