// iterations: 1
// checks: 5
import crypto, { createHMAC, hmac, md5, sha1, sha256 } from 'k6/crypto';
import encoding from 'k6/encoding';
import { check } from 'k6';

export default function () {
  const hasher = crypto.createHash('sha256');
  hasher.update('hello ');
  hasher.update('world!');
  const mac = createHMAC('sha256', 'a secret');
  mac.update('my data');
  check(null, {
    'one call': () => md5('hello world!', 'hex') === 'fc3ff98e8c6a0d3087d515c0473f8677' && sha1('', 'hex') === 'da39a3ee5e6b4b0d3255bfef95601890afd80709',
    'piece by piece': () => hasher.digest('hex') === sha256('hello world!', 'hex'),
    'with a key': () => mac.digest('hex') === hmac('sha256', 'a secret', 'my data', 'hex'),
    'as bytes': () => sha256('x', 'binary').byteLength === 32 && encoding.b64encode(sha256('x', 'binary')) === sha256('x', 'base64'),
    random: () => crypto.randomBytes(16).byteLength === 16,
  });
}
