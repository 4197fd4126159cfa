// What all algorithms of crypto.subtle share: names, faults, keys and what they may be used for.
import { sha1, sha256, sha384, sha512 } from 'k6/crypto';
import encoding from 'k6/encoding';

export const DIGESTS = { 'SHA-1': [sha1, 64, 'sha1'], 'SHA-256': [sha256, 64, 'sha256'], 'SHA-384': [sha384, 128, 'sha384'], 'SHA-512': [sha512, 128, 'sha512'] };
const USAGES = ['encrypt', 'decrypt', 'sign', 'verify', 'deriveKey', 'deriveBits', 'wrapKey', 'unwrapKey'];
export const SECRET = Symbol('secret');

export function fault(name, message) {
  const error = new Error(message);
  error.name = name;
  return error;
}

/** A copy of what a buffer or a view holds: it may change while a promise is under way. */
export function bytes(data, what = 'data') {
  if (data instanceof ArrayBuffer) return data.slice(0);
  if (ArrayBuffer.isView(data)) return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  throw fault('TypeError', `${what} must be an ArrayBuffer or a view of one`);
}

const named = (algorithm) => (typeof algorithm === 'string' ? { name: algorithm } : { ...algorithm });

/** An algorithm with its name as the standard spells it. */
export function normal(algorithm) {
  if (algorithm === null || !['string', 'object'].includes(typeof algorithm)) throw fault('TypeError', 'the algorithm must be a name or an object with a name');
  const given = named(algorithm);
  const known = ['AES-CBC', 'AES-CTR', 'AES-GCM', 'HMAC', 'ECDSA', 'ECDH', 'PBKDF2', 'HKDF', 'Ed25519', 'X25519', 'RSASSA-PKCS1-v1_5', 'RSA-PSS', 'RSA-OAEP', ...Object.keys(DIGESTS)];
  const name = known.find((one) => one.toLowerCase() === String(given.name).toLowerCase());
  if (!name) throw fault('NotSupportedError', `the algorithm ${given.name} is not supported; there are ${known.join(', ')}`);
  return { ...given, name };
}

export function hashOf(algorithm) {
  const name = normal(algorithm?.hash ?? '').name;
  if (!DIGESTS[name]) throw fault('NotSupportedError', `${name} is no digest`);
  return name;
}

export class CryptoKey {
  constructor(type, extractable, algorithm, usages, secret) {
    Object.assign(this, { type, extractable, algorithm, usages });
    Object.defineProperty(this, SECRET, { value: secret });
  }
  get [Symbol.toStringTag]() {
    return 'CryptoKey';
  }
}

export function wanted(usages, allowed) {
  for (const usage of usages ?? []) {
    if (!USAGES.includes(usage)) throw fault('TypeError', `\`${usage}\` is no usage of a key`);
    if (!allowed.includes(usage)) throw fault('SyntaxError', `a key of this kind cannot ${usage}`);
  }
  return USAGES.filter((usage) => usages.includes(usage));
}

export function allowed(key, algorithm, usage) {
  if (!(key instanceof CryptoKey)) throw fault('TypeError', 'the key must be a CryptoKey');
  if (key.algorithm.name !== algorithm.name) throw fault('InvalidAccessError', `the key is for ${key.algorithm.name}, not for ${algorithm.name}`);
  if (!key.usages.includes(usage)) throw fault('InvalidAccessError', `the key does not support the '${usage}' operation`);
  return key[SECRET];
}

export const needed = (result, name, message) => {
  if (result === undefined || result === null) throw fault(name, message);
  return result;
};

export const hex = (data) => [...new Uint8Array(data)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
export const coded = (data) => encoding.b64encode(data, 'rawurl');
export const decoded = (text) => encoding.b64decode(text, 'rawurl');
