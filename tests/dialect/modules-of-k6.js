// iterations: 1
// checks: 1
import { check } from 'k6';
import * as k6 from 'k6';
import * as crypto from 'k6/crypto';
import * as data from 'k6/data';
import * as encoding from 'k6/encoding';
import * as execution from 'k6/execution';
import * as csv from 'k6/experimental/csv';
import * as fs from 'k6/experimental/fs';
import * as redis from 'k6/experimental/redis';
import * as streams from 'k6/experimental/streams';
import * as html from 'k6/html';
import * as http from 'k6/http';
import * as metrics from 'k6/metrics';
import * as grpc from 'k6/net/grpc';
import * as secrets from 'k6/secrets';
import * as timers from 'k6/timers';
import * as websockets from 'k6/websockets';
import * as ws from 'k6/ws';

const expected = {
  k6: 'check fail group randomSeed sleep',
  http: 'CookieJar asyncRequest batch cookieJar del expectedStatuses file get head options patch post put request setResponseCallback url',
  crypto: 'createHMAC createHash hmac md4 md5 randomBytes ripemd160 sha1 sha256 sha384 sha512 sha512_224 sha512_256',
  data: 'SharedArray',
  encoding: 'b64decode b64encode',
  execution: 'instance scenario test vu',
  csv: 'Parser parse',
  fs: 'SeekMode open',
  redis: 'Client',
  streams: 'CountQueuingStrategy ReadableStream',
  html: 'parseHTML',
  metrics: 'Counter Gauge Rate Trend',
  grpc: 'Client StatusOK Stream',
  secrets: 'default',
  timers: 'clearInterval clearTimeout setInterval setTimeout',
  websockets: 'Blob WebSocket',
  ws: 'connect',
};

const modules = { k6, http, crypto, data, encoding, execution, csv, fs, redis, streams, html, metrics, grpc, secrets, timers, websockets, ws };

export default function () {
  const missing = [];
  for (const [name, names] of Object.entries(expected)) {
    for (const each of names.split(' ')) {
      if (!(each in modules[name])) missing.push(`${name}.${each}`);
      if (!(each in modules[name].default) && each !== 'default') missing.push(`${name}.default.${each}`);
    }
  }
  check(missing, { 'all is there': (list) => list.length === 0 || (console.error(list.join()), false) });
}
