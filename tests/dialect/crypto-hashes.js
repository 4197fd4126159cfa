// checks: 11
import { check } from 'k6';
import crypto from 'k6/crypto';

// Of 'abc': RFC 1320, RFC 1321, FIPS 180-4, and RIPEMD's own vectors; RFC 4231 case 2.
const known = {
  md4: 'a448017aaf21d8525fc10ae87aa6729d',
  md5: '900150983cd24fb0d6963f7d28e17f72',
  sha1: 'a9993e364706816aba3e25717850c26c9cd0d89d',
  sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  sha384: 'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
  sha512: 'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  sha512_224: '4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa',
  sha512_256: '53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23',
  ripemd160: '8eb208f7e05d987a9b044a8e98c6b087f15a0bfc',
};

export default function () {
  const found = {};
  for (const [name, digest] of Object.entries(known)) {
    const hasher = crypto.createHash(name);
    hasher.update('a');
    hasher.update(new Uint8Array([98, 99]).buffer);
    found[name] = crypto[name]('abc', 'hex') === digest && hasher.digest('hex') === digest;
  }
  const mac = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';
  found.hmac = crypto.hmac('sha256', 'Jefe', 'what do ya want for nothing?', 'hex') === mac;
  found.outputs = crypto.md5('abc', 'base64') === 'kAFQmDzST7DWlj99KOF/cg==' && crypto.md5('abc', 'base64url') === 'kAFQmDzST7DWlj99KOF_cg=='
    && crypto.md5('abc', 'base64rawurl') === 'kAFQmDzST7DWlj99KOF_cg' && new Uint8Array(crypto.md5('abc', 'binary'))[0] === 0x90;
  check(found, Object.fromEntries(Object.keys(found).map((name) => [name, (all) => all[name] === true])));
}
