// crypto.subtle, by the interface of the Web Cryptography API. The arithmetic is the host's.
import { hmac } from 'k6/crypto';
import { aes, ec, ed25519, hkdf, pbkdf2, random, x25519 } from 'loadgen:subtle';
import { allowed, bytes, coded, CryptoKey, decoded, DIGESTS, fault, hashOf, hex, needed, normal, SECRET, wanted } from 'jslib:webcrypto-key';
import * as rsa from 'jslib:webcrypto-rsa';

const USES = {
  HMAC: ['sign', 'verify'],
  PBKDF2: ['deriveKey', 'deriveBits'],
  HKDF: ['deriveKey', 'deriveBits'],
};
const usesOf = (name) => USES[name] ?? ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'];
const PAIRS = { ECDSA: [['sign'], ['verify']], Ed25519: [['sign'], ['verify']], ECDH: [['deriveKey', 'deriveBits'], []], X25519: [['deriveKey', 'deriveBits'], []] };
const LENGTHS = [128, 192, 256];
const TAGS = [32, 64, 96, 104, 112, 120, 128];

/** Keys of 32 bytes on Curve25519: what makes the public one, and DER in front of either (RFC 8410). */
const OCTETS = {
  Ed25519: { make: ed25519, secret: '302e020100300506032b657004220420', point: '302a300506032b6570032100' },
  X25519: { make: x25519, secret: '302e020100300506032b656e04220420', point: '302a300506032b656e032100' },
};
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16)).buffer;

function pair(algorithm, secret, point, extractable, usages) {
  const [priv, pub] = PAIRS[algorithm.name];
  const all = wanted(usages, [...priv, ...pub]);
  const privateUsages = all.filter((usage) => priv.includes(usage));
  if (privateUsages.length === 0) throw fault('SyntaxError', 'a private key needs a usage');
  return {
    privateKey: new CryptoKey('private', extractable, algorithm, privateUsages, { secret, point }),
    publicKey: new CryptoKey('public', true, algorithm, all.filter((usage) => pub.includes(usage)), { point }),
  };
}

function curveOf({ namedCurve }) {
  if (!['P-256', 'P-384', 'P-521'].includes(namedCurve)) throw fault('NotSupportedError', `the curve ${namedCurve} is not supported; there are P-256, P-384, P-521`);
  return namedCurve;
}

async function generateKey(given, extractable, usages) {
  const algorithm = normal(given);
  const { name } = algorithm;
  if (rsa.is(name)) return rsa.generate(algorithm, extractable, usages);
  if (PAIRS[name]) {
    if (OCTETS[name]) {
      const seed = random(32);
      return pair({ name }, seed, OCTETS[name].make('public', seed), extractable, usages);
    }
    const namedCurve = curveOf(algorithm);
    const secret = needed(ec('generate', namedCurve), 'OperationError', 'no key could be made');
    return pair({ name, namedCurve }, secret, ec('public', namedCurve, secret), extractable, usages);
  }
  const uses = wanted(usages, usesOf(name));
  if (uses.length === 0) throw fault('SyntaxError', 'a secret key needs a usage');
  if (name === 'HMAC') {
    const hash = hashOf(algorithm);
    const length = algorithm.length ?? DIGESTS[hash][1] * 8;
    if (!(length > 0)) throw fault('OperationError', 'the length of a key must be above 0');
    return new CryptoKey('secret', extractable, { name, length, hash: { name: hash } }, uses, random(Math.ceil(length / 8)));
  }
  if (!name.startsWith('AES-')) throw fault('NotSupportedError', `no key is generated for ${name}`);
  if (!LENGTHS.includes(algorithm.length)) throw fault('OperationError', 'the length of an AES key must be 128, 192 or 256');
  return new CryptoKey('secret', extractable, { name, length: algorithm.length }, uses, random(algorithm.length / 8));
}

/** The parts of a public key as JWK: x and y of a point. */
const half = (point, i) => point.slice(1 + (i * (point.byteLength - 1)) / 2, 1 + ((i + 1) * (point.byteLength - 1)) / 2);
function joined(...parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return all.buffer;
}

function importPair(format, data, algorithm, extractable, usages) {
  const { name } = algorithm;
  const octets = OCTETS[name];
  const namedCurve = octets ? undefined : curveOf(algorithm);
  const kept = octets ? { name } : { name, namedCurve };
  const [priv, pub] = PAIRS[name];
  const bad = (what) => needed(what, 'DataError', `this is no key of ${namedCurve ?? name}`);
  const publicKey = (point) => new CryptoKey('public', extractable, kept, wanted(usages, pub), { point });
  const privateKey = (secret) => {
    const uses = wanted(usages, priv);
    if (uses.length === 0) throw fault('SyntaxError', 'a private key needs a usage');
    const point = bad(octets ? octets.make('public', secret) : ec('public', namedCurve, secret));
    return new CryptoKey('private', extractable, kept, uses, { secret, point });
  };
  const cut = (prefix) => {
    const text = hex(bytes(data, 'the key'));
    return text.startsWith(prefix) && text.length === prefix.length + 64 ? unhex(text.slice(prefix.length)) : undefined;
  };
  switch (format) {
    case 'raw': {
      const raw = bytes(data, 'the key');
      return publicKey(bad(octets ? (raw.byteLength === 32 ? raw : undefined) : ec('point', namedCurve, raw)));
    }
    case 'spki':
      return publicKey(bad(octets ? cut(octets.point) : ec('fromSpki', namedCurve, bytes(data, 'the key'))));
    case 'pkcs8':
      return privateKey(bad(octets ? cut(octets.secret) : ec('fromPkcs8', namedCurve, bytes(data, 'the key'))));
    case 'jwk': {
      if (data?.kty !== (octets ? 'OKP' : 'EC') || data.crv !== (namedCurve ?? name)) throw fault('DataError', `the JWK is no key of ${namedCurve ?? name}`);
      if (data.d !== undefined) return privateKey(decoded(data.d));
      const point = octets ? decoded(data.x) : ec('point', namedCurve, joined(Uint8Array.of(4), decoded(data.x), decoded(data.y)));
      return publicKey(bad(point));
    }
    default:
      throw fault('NotSupportedError', `the format ${format} is not supported`);
  }
}

async function importKey(format, data, given, extractable, usages) {
  const algorithm = normal(given);
  const { name } = algorithm;
  if (rsa.is(name)) return rsa.importKey(format, data, algorithm, extractable, usages);
  if (PAIRS[name]) return importPair(format, data, algorithm, extractable, usages);
  const uses = wanted(usages, usesOf(name));
  if (uses.length === 0) throw fault('SyntaxError', 'a secret key needs a usage');
  let secret;
  if (format === 'jwk') {
    if (data?.kty !== 'oct' || typeof data.k !== 'string') throw fault('DataError', 'the JWK is no secret key: its kty must be oct');
    if (extractable && data.ext === false) throw fault('DataError', 'the JWK must not be extractable');
    secret = decoded(data.k);
  } else if (format === 'raw') {
    secret = bytes(data, 'the key');
  } else {
    throw fault('NotSupportedError', `the format ${format} is not supported for ${name}; there are raw and jwk`);
  }
  const length = secret.byteLength * 8;
  if (name === 'HMAC') {
    if (length === 0) throw fault('DataError', 'the key is empty');
    return new CryptoKey('secret', extractable, { name, length, hash: { name: hashOf(algorithm) } }, uses, secret);
  }
  if (!name.startsWith('AES-')) return new CryptoKey('secret', false, { name }, uses, secret);
  if (!LENGTHS.includes(length)) throw fault('DataError', 'an AES key must have 128, 192 or 256 bits');
  return new CryptoKey('secret', extractable, { name, length }, uses, secret);
}

async function exportKey(format, key) {
  if (!(key instanceof CryptoKey)) throw fault('TypeError', 'the key must be a CryptoKey');
  if (!key.extractable) throw fault('InvalidAccessError', 'the key is not extractable');
  const { algorithm, type } = key;
  if (rsa.is(algorithm.name)) return rsa.exportKey(format, key);
  const about = { ext: key.extractable, key_ops: key.usages };
  if (type === 'secret') {
    if (format === 'raw') return key[SECRET].slice(0);
    if (format !== 'jwk') throw fault('NotSupportedError', `the format ${format} is not supported for ${algorithm.name}`);
    const alg = algorithm.name === 'HMAC' ? `HS${algorithm.hash.name.slice(4)}` : `A${algorithm.length}${algorithm.name.slice(4)}`;
    return { kty: 'oct', k: coded(key[SECRET]), alg, ...about };
  }
  const { secret, point } = key[SECRET];
  const octets = OCTETS[algorithm.name];
  if (format === 'jwk') {
    const shared = octets ? { kty: 'OKP', crv: algorithm.name, x: coded(point) } : { kty: 'EC', crv: algorithm.namedCurve, x: coded(half(point, 0)), y: coded(half(point, 1)) };
    return { ...shared, ...(type === 'private' ? { d: coded(secret) } : {}), ...about };
  }
  const isPublic = { raw: true, spki: true, pkcs8: false }[format];
  if (isPublic === undefined) throw fault('NotSupportedError', `the format ${format} is not supported`);
  if (isPublic !== (type === 'public')) throw fault('InvalidAccessError', `a ${type} key is not exported as ${format}`);
  if (format === 'raw') return point.slice(0);
  if (octets) return unhex(format === 'spki' ? octets.point + hex(point) : octets.secret + hex(secret));
  return format === 'spki' ? ec('toSpki', algorithm.namedCurve, point) : ec('toPkcs8', algorithm.namedCurve, secret);
}

async function crypt(given, key, data, encrypt, usage = encrypt ? 'encrypt' : 'decrypt') {
  const algorithm = normal(given);
  const secret = allowed(key, algorithm, usage);
  if (rsa.is(algorithm.name)) return rsa.crypt(algorithm, key, bytes(data), encrypt);
  const [text, wrong] = [bytes(data), `it could not be ${encrypt ? 'en' : 'de'}crypted: is it the same key, and the same iv?`];
  const start = bytes(algorithm.name === 'AES-CTR' ? algorithm.counter : algorithm.iv, algorithm.name === 'AES-CTR' ? 'counter' : 'iv');
  const size = start.byteLength;
  if (algorithm.name === 'AES-GCM') {
    if (!TAGS.includes(algorithm.tagLength ?? 128)) throw fault('OperationError', `a tag of AES-GCM has one of ${TAGS.join(', ')} bits`);
    if (size !== 12 && size !== 16) throw fault('NotSupportedError', 'the iv of AES-GCM must have 12 or 16 bytes');
  } else if (size !== 16) {
    throw fault('OperationError', `the ${algorithm.name === 'AES-CTR' ? 'counter' : 'iv'} must have 16 bytes, it has ${size}`);
  }
  const beside = algorithm.additionalData === undefined ? new ArrayBuffer(0) : bytes(algorithm.additionalData, 'additionalData');
  const mode = algorithm.name === 'AES-GCM' ? `AES-GCM-${algorithm.tagLength ?? 128}` : algorithm.name;
  return needed(aes(mode, encrypt, secret, start, beside, text), 'OperationError', wrong);
}

async function sign(given, key, data) {
  const algorithm = normal(given);
  const secret = allowed(key, algorithm, 'sign');
  const text = bytes(data);
  if (algorithm.name === 'HMAC') return hmac(DIGESTS[key.algorithm.hash.name][2], secret, text, 'binary');
  if (rsa.is(algorithm.name)) return rsa.sign(algorithm, key, text);
  if (algorithm.name === 'Ed25519') return ed25519('sign', secret.secret, text);
  if (algorithm.name !== 'ECDSA') throw fault('NotSupportedError', `${algorithm.name} does not sign`);
  const digest = DIGESTS[hashOf(algorithm)][0](text, 'binary');
  return needed(ec('sign', key.algorithm.namedCurve, secret.secret, digest), 'OperationError', 'it could not be signed');
}

async function verify(given, key, signature, data) {
  const algorithm = normal(given);
  const secret = allowed(key, algorithm, 'verify');
  const [signed, text] = [bytes(signature, 'signature'), bytes(data)];
  if (algorithm.name === 'HMAC') return hex(hmac(DIGESTS[key.algorithm.hash.name][2], secret, text, 'binary')) === hex(signed);
  if (rsa.is(algorithm.name)) return rsa.verify(algorithm, key, signed, text);
  if (algorithm.name === 'Ed25519') return ed25519('verify', secret.point, text, signed) !== undefined;
  if (algorithm.name !== 'ECDSA') throw fault('NotSupportedError', `${algorithm.name} does not verify`);
  const digest = DIGESTS[hashOf(algorithm)][0](text, 'binary');
  return ec('verify', key.algorithm.namedCurve, secret.point, digest, signed) !== undefined;
}

function derived(algorithm, key, length) {
  const secret = key[SECRET];
  if (algorithm.name === 'ECDH' || algorithm.name === 'X25519') {
    const other = algorithm.public;
    if (!(other instanceof CryptoKey) || other.type !== 'public') throw fault('InvalidAccessError', `${algorithm.name} needs the public key of the other side as \`public\``);
    if (other.algorithm.name !== algorithm.name || other.algorithm.namedCurve !== key.algorithm.namedCurve) throw fault('InvalidAccessError', 'both keys must be of one curve');
    const { point } = other[SECRET];
    const shared = needed(algorithm.name === 'X25519' ? x25519('agree', secret.secret, point) : ec('agree', key.algorithm.namedCurve, secret.secret, point), 'OperationError', 'the keys do not agree');
    if (length === null || length === undefined || length === 0) return shared;
    if (length > shared.byteLength * 8) throw fault('OperationError', `only ${shared.byteLength * 8} bits can be derived`);
    return shared.slice(0, Math.ceil(length / 8));
  }
  if (!(length > 0) || length % 8 !== 0) throw fault('OperationError', 'the length must be a multiple of 8 bits');
  const salt = bytes(algorithm.salt, 'salt');
  if (algorithm.name === 'PBKDF2') {
    if (!(algorithm.iterations > 0)) throw fault('OperationError', 'iterations must be above 0');
    return pbkdf2(hashOf(algorithm), secret, salt, algorithm.iterations, length / 8);
  }
  if (algorithm.name !== 'HKDF') throw fault('NotSupportedError', `${algorithm.name} derives nothing`);
  return needed(hkdf(hashOf(algorithm), secret, salt, bytes(algorithm.info, 'info'), length / 8), 'OperationError', 'more is wanted than can be derived');
}

async function deriveBits(given, key, length) {
  const algorithm = normal(given);
  allowed(key, algorithm, 'deriveBits');
  return derived(algorithm, key, length);
}

async function deriveKey(given, key, kind, extractable, usages) {
  const algorithm = normal(given);
  allowed(key, algorithm, 'deriveKey');
  const target = normal(kind);
  const length = target.length ?? (target.name === 'HMAC' ? DIGESTS[hashOf(target)][1] * 8 : null);
  return importKey('raw', derived(algorithm, key, length), target, extractable, usages);
}

async function digest(algorithm, data) {
  const { name } = normal(algorithm);
  if (!DIGESTS[name]) throw fault('NotSupportedError', `${name} is no digest; there are ${Object.keys(DIGESTS).join(', ')}`);
  return DIGESTS[name][0](bytes(data), 'binary');
}

/** A key sealed with another one; as JWK it is text. */
async function wrapKey(format, key, wrapping, given) {
  const exported = await exportKey(format, key);
  const data = format === 'jwk' ? new TextEncoder().encode(JSON.stringify(exported)) : exported;
  return crypt(given, wrapping, data, true, 'wrapKey');
}

async function unwrapKey(format, wrapped, wrapping, given, algorithm, extractable, usages) {
  const data = await crypt(given, wrapping, wrapped, false, 'unwrapKey');
  return importKey(format, format === 'jwk' ? JSON.parse(new TextDecoder().decode(data)) : data, algorithm, extractable, usages);
}

export const subtle = {
  decrypt: (algorithm, key, data) => crypt(algorithm, key, data, false),
  deriveBits,
  deriveKey,
  digest,
  encrypt: (algorithm, key, data) => crypt(algorithm, key, data, true),
  exportKey,
  generateKey,
  importKey,
  sign,
  unwrapKey,
  verify,
  wrapKey,
};
export { CryptoKey };
