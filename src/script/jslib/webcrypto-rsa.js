// RSA of crypto.subtle: RSASSA-PKCS1-v1_5, RSA-PSS and RSA-OAEP. A private key is kept as PKCS#8, a public one as SPKI.
import { rsa, rsaKey, rsaParts } from 'loadgen:subtle';
import { bytes, coded, CryptoKey, decoded, fault, hashOf, needed, SECRET, wanted } from 'jslib:webcrypto-key';

/** What a private and a public key may be used for, and the beginning of its name in a JWK (RFC 7518, sections 3.1 and 4.1). */
const KINDS = {
  'RSASSA-PKCS1-v1_5': { secret: ['sign'], open: ['verify'], alg: 'RS' },
  'RSA-PSS': { secret: ['sign'], open: ['verify'], alg: 'PS' },
  'RSA-OAEP': { secret: ['decrypt', 'unwrapKey'], open: ['encrypt', 'wrapKey'], alg: 'RSA-OAEP-' },
};
/** The parts of a key in a JWK (RFC 7518, section 6.3), in the order in which the host has them. */
const PARTS = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'];
const SIZES = [512, 8192];

export const is = (name) => name in KINDS;
const alg = ({ name, hash }) => (name === 'RSA-OAEP' && hash.name === 'SHA-1' ? 'RSA-OAEP' : KINDS[name].alg + hash.name.slice(4));

/** What a key says of itself, from its modulus and exponent. */
function about(name, hash, key) {
  const [modulus, exponent] = rsaParts(key);
  const first = new Uint8Array(modulus)[0] ?? 0;
  return { name, modulusLength: modulus.byteLength * 8 - Math.clz32(first) + 24, publicExponent: new Uint8Array(exponent), hash: { name: hash } };
}

export function generate({ name, modulusLength, publicExponent, hash }, extractable, usages) {
  const { secret, open } = KINDS[name];
  const all = wanted(usages, [...secret, ...open]);
  const uses = all.filter((usage) => secret.includes(usage));
  if (uses.length === 0) throw fault('SyntaxError', 'a private key needs a usage');
  const [least, most] = SIZES;
  if (!(modulusLength >= least && modulusLength <= most)) throw fault('OperationError', `modulusLength must be from ${least} to ${most} bits, it is ${modulusLength}`);
  if (!(publicExponent instanceof Uint8Array)) throw fault('TypeError', 'publicExponent must be a Uint8Array, such as new Uint8Array([1, 0, 1])');
  const kind = hashOf({ hash });
  const made = needed(rsa('generate', '', publicExponent, new ArrayBuffer(0), new ArrayBuffer(0), modulusLength), 'OperationError', 'no key could be made: is publicExponent odd, and above 1?');
  const point = rsa('public', '', made);
  const algorithm = about(name, kind, point);
  return {
    privateKey: new CryptoKey('private', extractable, algorithm, uses, made),
    publicKey: new CryptoKey('public', true, algorithm, all.filter((usage) => open.includes(usage)), point),
  };
}

/** A JWK's key as DER, with all parts of a private one or the two of a public one. */
function ofJwk(jwk, algorithm) {
  if (jwk?.kty !== 'RSA') throw fault('DataError', 'the JWK is no RSA key: its kty must be RSA');
  if (jwk.alg !== undefined && jwk.alg !== alg(algorithm)) throw fault('DataError', `the JWK is for ${jwk.alg}, not for ${alg(algorithm)}`);
  const names = jwk.d === undefined ? PARTS.slice(0, 2) : PARTS;
  const missing = names.filter((name) => typeof jwk[name] !== 'string');
  if (missing.length > 0) throw fault('DataError', `the JWK has no ${missing.join(', ')}`);
  return rsaKey(names.map((name) => decoded(jwk[name])));
}

export function importKey(format, data, given, extractable, usages) {
  const { name } = given;
  const hash = hashOf(given);
  let type = { spki: 'public', pkcs8: 'private' }[format];
  let key;
  if (format === 'jwk') {
    if (extractable && data?.ext === false) throw fault('DataError', 'the JWK must not be extractable');
    type = data?.d === undefined ? 'public' : 'private';
    key = ofJwk(data, { name, hash: { name: hash } });
  } else if (type) {
    key = bytes(data, 'the key');
  } else {
    throw fault('NotSupportedError', `the format ${format} is not supported for ${name}; there are spki, pkcs8 and jwk`);
  }
  const found = needed(key && rsaParts(key), 'DataError', `this is no ${type} key of RSA`);
  if ((found.length > 2) !== (type === 'private')) throw fault('DataError', `this is no ${type} key of RSA`);
  const { secret, open } = KINDS[name];
  const uses = wanted(usages, type === 'private' ? secret : open);
  if (type === 'private' && uses.length === 0) throw fault('SyntaxError', 'a private key needs a usage');
  return new CryptoKey(type, extractable, about(name, hash, key), uses, key);
}

export function exportKey(format, { type, algorithm, extractable, usages, [SECRET]: key }) {
  if (format === 'jwk') {
    const parts = rsaParts(key).map((part, i) => [PARTS[i], coded(part)]);
    return { kty: 'RSA', alg: alg(algorithm), ...Object.fromEntries(parts), ext: extractable, key_ops: usages };
  }
  const kind = { spki: 'public', pkcs8: 'private' }[format];
  if (kind === undefined) throw fault('NotSupportedError', `the format ${format} is not supported for ${algorithm.name}; there are spki, pkcs8 and jwk`);
  if (kind !== type) throw fault('InvalidAccessError', `a ${type} key is not exported as ${format}`);
  return key.slice(0);
}

/** How the host is to pad: with the length of the salt, for PSS. */
function padding({ name, saltLength }) {
  if (name !== 'RSA-PSS') return [name, 0];
  if (!(saltLength >= 0)) throw fault('TypeError', 'RSA-PSS needs a saltLength in bytes, such as 32');
  return [name, saltLength];
}

export function sign(algorithm, key, text) {
  const [name, salt] = padding(algorithm);
  const done = rsa(`sign ${name}`, key.algorithm.hash.name, key[SECRET], text, new ArrayBuffer(0), salt);
  return needed(done, 'OperationError', 'it could not be signed: is the key long enough for the hash and the salt?');
}

export function verify(algorithm, key, signature, text) {
  const [name, salt] = padding(algorithm);
  return rsa(`verify ${name}`, key.algorithm.hash.name, key[SECRET], text, signature, salt) !== undefined;
}

export function crypt({ label }, key, text, encrypt) {
  const beside = label === undefined ? new ArrayBuffer(0) : bytes(label, 'label');
  const done = rsa(encrypt ? 'encrypt' : 'decrypt', key.algorithm.hash.name, key[SECRET], text, beside);
  return needed(done, 'OperationError', encrypt ? 'it could not be encrypted: is the text too long for the key?' : 'it could not be decrypted: is it the same key, and the same label?');
}
