// iterations: 1
// checks: 59
import { check } from 'k6';
import redis, { Client } from 'k6/experimental/redis';

const [host, port] = __ENV.REDIS.split(':');
const client = new redis.Client(`redis://${__ENV.REDIS}/1`);
const other = new Client({ socket: { host, port: Number(port) }, database: 1 });
const early = client.get('x').catch((e) => e.message);

export default async function () {
  const said = async (promise) => promise.then((v) => JSON.stringify(v), (e) => `! ${e.message}`);
  const is = async (name, promise, expected) => {
    const text = await said(promise);
    const wanted = typeof expected === 'string' && expected.startsWith('! ') ? expected : JSON.stringify(expected);
    check(text, { [name]: (t) => t === wanted || (console.error(`${name}: ${t}, expected ${wanted}`), false) });
  };
  check(await early, { 'nothing at the top level': (e) => e === 'connecting to a redis server in the init context is not supported' });
  check(client, { 'not connected yet': (c) => !c.isConnected() });

  await is('flush', client.sendCommand('FLUSHDB'), 'OK');
  check(client, { 'connected': (c) => c.isConnected() });
  await is('set', client.set('text', 'wörter', 0), 'OK');
  await is('get', client.get('text'), 'wörter');
  await is('the same database by an object', other.get('text'), 'wörter');
  await is('what is not there', client.get('nothing'), '! redis: nil');
  await is('getSet', client.getSet('text', 12), 'wörter');
  await is('getDel', client.getDel('text'), '12');
  await is('a number', client.set('number', 5), 'OK');
  await is('a fraction', client.set('fraction', 0.25), 'OK');
  await is('a truth', client.set('truth', true), 'OK');
  await is('mget', client.mget('number', 'fraction', 'truth', 'none'), ['5', '0.25', '1', null]);
  await is('an object is none', client.set('object', {}), '! unsupported type provided for argument at index 1, supported types are string, number, and boolean');
  await is('nor in a list', client.lpush('list', 'a', null), '! unsupported type provided for argument at index 2, supported types are string, number, and boolean');
  await is('incr', client.incr('number'), 6);
  await is('incrBy', client.incrBy('number', 10), 16);
  await is('decr', client.decr('number'), 15);
  await is('decrBy', client.decrBy('number', 5), 10);
  await is('incr of text', client.incr('fraction'), '! ERR value is not an integer or out of range');
  await is('exists', client.exists('number', 'number', 'none'), 2);
  await is('set with seconds', client.set('short', 'x', 100), 'OK');
  const left = await client.ttl('short');
  check(left, { 'ttl': (s) => s > 90 && s <= 100 });
  await is('persist', client.persist('short'), true);
  await is('persist again', client.persist('short'), false);
  await is('ttl of what stays', client.ttl('short'), -1);
  await is('expire', client.expire('short', 50), true);
  await is('expire of nothing', client.expire('none', 50), false);
  await is('del', client.del('short', 'truth', 'none'), 2);
  check(await client.randomKey(), { 'randomKey': (k) => ['number', 'fraction'].includes(k) });

  await is('rpush', client.rpush('list', 'b', 1, true), 3);
  await is('lpush', client.lpush('list', 'a'), 4);
  await is('lrange', client.lrange('list', 0, -1), ['a', 'b', '1', '1']);
  await is('lindex', client.lindex('list', -3), 'b');
  await is('lset', client.lset('list', 1, 'B'), 'OK');
  await is('lrem', client.lrem('list', 0, '1'), 2);
  await is('llen', client.llen('list'), 2);
  await is('lpop', client.lpop('list'), 'a');
  await is('rpop', client.rpop('list'), 'B');
  await is('rpop of nothing', client.rpop('list'), '! redis: nil');
  await is('the wrong kind', client.llen('number'), '! WRONGTYPE Operation against a key holding the wrong kind of value');

  await is('hset', client.hset('hash', 'a', 1), 1);
  await is('hsetnx', client.hsetnx('hash', 'a', '2'), false);
  await is('hget', client.hget('hash', 'a'), '1');
  await is('hincrby', client.hincrby('hash', 'b', 7), 7);
  await is('hgetall', client.hgetall('hash'), { a: '1', b: '7' });
  await is('hkeys', client.hkeys('hash'), ['a', 'b']);
  await is('hvals and hlen', Promise.all([client.hvals('hash'), client.hlen('hash')]), [['1', '7'], 2]);
  await is('hdel', client.hdel('hash', 'a', 'none'), 1);

  await is('sadd', client.sadd('set', 'x', 'y', 3), 3);
  await is('srem', client.srem('set', 3), 1);
  await is('sismember', Promise.all([client.sismember('set', 'x'), client.sismember('set', 'z')]), [true, false]);
  check(await client.smembers('set'), { 'smembers': (m) => m.sort().join() === 'x,y' });
  check(await client.srandmember('set'), { 'srandmember': (m) => m === 'x' || m === 'y' });
  check(await client.spop('set'), { 'spop': (m) => m === 'x' || m === 'y' });

  await is('sendCommand', client.sendCommand('CONFIG', 'GET', 'appendonly'), ['appendonly', 'no']);
  await is('many at once', Promise.all([...Array(50).keys()].map((n) => client.incrBy('sum', n))).then((all) => all.length), 50);
  await is('all of them', client.get('sum'), '1225');
}
