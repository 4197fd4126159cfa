// iterations: 1
// checks: 26
import { check } from 'k6';
import { crypto as byName } from 'k6/experimental/webcrypto';
import { TextEncoder as Encoder } from 'k6/experimental/encoding';

const { subtle } = crypto;
const hex = (data) => [...new Uint8Array(data)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const bytes = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const text = (words) => new Encoder().encode(words);
const why = (promise) => promise.then(() => 'nothing', (error) => error.name);

export default async function () {
  const found = {};
  found['one object'] = byName === crypto && crypto.subtle === subtle;
  found.digest = hex(await subtle.digest({ name: 'sha-256' }, text('abc'))).startsWith('ba7816bf8f01cfea');

  // NIST SP 800-38A, F.2.1 and F.5.1; the first case of McGrew and Viega's GCM with a text.
  const block = bytes('6bc1bee22e409f96e93d7e117393172a');
  const aes = (name, key) => subtle.importKey('raw', bytes(key), name, true, ['encrypt', 'decrypt']);
  const nist = '2b7e151628aed2a6abf7158809cf4f3c';
  const cbc = { name: 'AES-CBC', iv: bytes('000102030405060708090a0b0c0d0e0f') };
  const sealed = await subtle.encrypt(cbc, await aes('AES-CBC', nist), block);
  found.cbc = sealed.byteLength === 32 && hex(sealed).startsWith('7649abac8119b246cee98e9b12e9197d');
  found['cbc back'] = hex(await subtle.decrypt(cbc, await aes('AES-CBC', nist), sealed)) === hex(block);
  const ctr = { name: 'AES-CTR', counter: bytes('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff'), length: 64 };
  found.ctr = hex(await subtle.encrypt(ctr, await aes('AES-CTR', nist), block)) === '874d6191b620e3261bef6864990db6ce';
  const gcm = { name: 'AES-GCM', iv: new Uint8Array(12) };
  const zero = await aes('AES-GCM', '00'.repeat(16));
  const tagged = await subtle.encrypt(gcm, zero, new Uint8Array(16));
  found.gcm = hex(tagged) === '0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf';
  const short = { ...gcm, tagLength: 96 };
  const cut = await subtle.encrypt(short, zero, new Uint8Array(16));
  found['a short tag'] = hex(cut) === hex(tagged).slice(0, 56) && hex(await subtle.decrypt(short, zero, cut)) === '00'.repeat(16);
  new Uint8Array(cut)[27] ^= 1;
  found['a short tag that was changed'] = (await why(subtle.decrypt(short, zero, cut))) === 'OperationError' && (await why(subtle.encrypt({ ...gcm, tagLength: 20 }, zero, cut))) === 'OperationError';
  new Uint8Array(tagged)[0] ^= 1;
  found['a text that was changed'] = (await why(subtle.decrypt(gcm, zero, tagged))) === 'OperationError';

  const made = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt', 'decrypt']);
  const jwk = await subtle.exportKey('jwk', made);
  const again = await subtle.importKey('jwk', jwk, 'AES-GCM', false, ['decrypt']);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const kept = await subtle.encrypt({ name: 'AES-GCM', iv, additionalData: text('beside') }, made, text('hello'));
  found.jwk = jwk.kty === 'oct' && jwk.alg === 'A256GCM' && hex(await subtle.decrypt({ name: 'AES-GCM', iv, additionalData: text('beside') }, again, kept)) === hex(text('hello'));
  found['not extractable'] = (await why(subtle.exportKey('raw', again))) === 'InvalidAccessError';
  found['not for this'] = (await why(subtle.encrypt({ name: 'AES-GCM', iv }, again, text('x')))) === 'InvalidAccessError';
  found['no such algorithm'] = (await why(subtle.generateKey({ name: 'AES-KW' }, true, ['encrypt']))) === 'NotSupportedError';

  // RFC 4231, case 2.
  const mac = await subtle.importKey('raw', text('Jefe'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
  const signed = await subtle.sign('HMAC', mac, text('what do ya want for nothing?'));
  found.hmac = hex(signed).startsWith('5bdcc146bf60754e6a042426089575c7') && (await subtle.verify('HMAC', mac, signed, text('what do ya want for nothing?')));
  found['hmac of another text'] = !(await subtle.verify('HMAC', mac, signed, text('something')));

  for (const [namedCurve, hash, size] of [['P-256', 'SHA-256', 64], ['P-384', { name: 'SHA-384' }, 96], ['P-521', 'SHA-512', 132]]) {
    const pair = await subtle.generateKey({ name: 'ECDSA', namedCurve }, true, ['sign', 'verify']);
    const signature = await subtle.sign({ name: 'ECDSA', hash }, pair.privateKey, text('message'));
    const imported = async (format, key, uses) => subtle.importKey(format, await subtle.exportKey(format, key), { name: 'ECDSA', namedCurve }, true, uses);
    let holds = signature.byteLength === size;
    for (const format of ['raw', 'spki', 'jwk']) {
      holds &&= await subtle.verify({ name: 'ECDSA', hash }, await imported(format, pair.publicKey, ['verify']), signature, text('message'));
    }
    for (const format of ['pkcs8', 'jwk']) {
      const other = await subtle.sign({ name: 'ECDSA', hash }, await imported(format, pair.privateKey, ['sign']), text('x'));
      holds &&= await subtle.verify({ name: 'ECDSA', hash }, pair.publicKey, other, text('x'));
    }
    found[namedCurve] = holds && !(await subtle.verify({ name: 'ECDSA', hash }, pair.publicKey, signature, text('other')));
  }

  // RFC 5903, section 8.1.
  const code = (digits) => btoa(String.fromCharCode(...bytes(digits))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
  const ours = { kty: 'EC', crv: 'P-256', d: code('c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433'), x: '', y: '' };
  const theirs = { kty: 'EC', crv: 'P-256', x: code('d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63'), y: code('56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab') };
  const ecdh = { name: 'ECDH', namedCurve: 'P-256' };
  const mine = await subtle.importKey('jwk', ours, ecdh, false, ['deriveKey', 'deriveBits']);
  const yours = await subtle.importKey('jwk', theirs, ecdh, true, []);
  found.ecdh = hex(await subtle.deriveBits({ name: 'ECDH', public: yours }, mine, 256)) === 'd6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de';
  const agreed = await subtle.deriveKey({ name: 'ECDH', public: yours }, mine, { name: 'AES-CBC', length: 256 }, true, ['encrypt']);
  found['a key of ecdh'] = hex(await subtle.exportKey('raw', agreed)).startsWith('d6840f6b');

  // RFC 7914, section 11; RFC 5869, case 1; RFC 8032, test 1.
  const password = await subtle.importKey('raw', text('passwd'), 'PBKDF2', false, ['deriveBits', 'deriveKey']);
  const pbkdf2 = { name: 'PBKDF2', salt: text('salt'), iterations: 1, hash: 'SHA-256' };
  found.pbkdf2 = hex(await subtle.deriveBits(pbkdf2, password, 512)).startsWith('55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc');
  found['a key of pbkdf2'] = (await subtle.deriveKey(pbkdf2, password, { name: 'AES-GCM', length: 128 }, true, ['encrypt'])).algorithm.length === 128;
  const base = await subtle.importKey('raw', bytes('0b'.repeat(22)), 'HKDF', false, ['deriveBits']);
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: bytes('000102030405060708090a0b0c'), info: bytes('f0f1f2f3f4f5f6f7f8f9') };
  found.hkdf = hex(await subtle.deriveBits(hkdf, base, 336)).startsWith('3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf');
  const seed = bytes('302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60');
  const edwards = await subtle.importKey('pkcs8', seed, 'Ed25519', true, ['sign']);
  const empty = await subtle.sign('Ed25519', edwards, new Uint8Array(0));
  found.ed25519 = hex(empty).startsWith('e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155');
  const point = await subtle.importKey('raw', bytes('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'), { name: 'Ed25519' }, true, ['verify']);
  found['ed25519 verified'] = await subtle.verify('Ed25519', point, empty, new Uint8Array(0));
  found['ed25519 jwk'] = (await subtle.exportKey('jwk', edwards)).x === code('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  check(found, Object.fromEntries(Object.keys(found).map((name) => [name, (all) => all[name] === true])));
}
