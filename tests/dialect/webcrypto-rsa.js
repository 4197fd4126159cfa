// iterations: 1
// checks: 20
// Keys, signatures and the sealed text are those of the `openssl` program.
import { check } from 'k6';

const { subtle } = crypto;
const hex = (data) => [...new Uint8Array(data)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const unhex = (digits) => Uint8Array.from(digits.match(/../g), (pair) => parseInt(pair, 16));
const text = (words) => new TextEncoder().encode(words);
const words = (data) => new TextDecoder().decode(data);
const of = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
const why = (promise) => promise.then(() => 'nothing', (error) => error.name);

const PKCS8 = of('MIICeQIBADANBgkqhkiG9w0BAQEFAASCAmMwggJfAgEAAoGBAMhluHWH77kvunbiUK9I5CxCjvGMkxfm346fagY9AEtR05lSGy2aR5B/2Xw0hVbsV7KK5NtGgenghAlZyIjCUQ5GBPFfaHWy9M6th4wqHqMTIPVf+R5OvMUNXZR+CyF61evhiw2Bopqid8Qf+1ZmJUJYfvTvy+x37LcOa5c83vMbAgMBAAECgYEAw9XMLmc6mMGQuk8uRC26dZpRsLIMqSYAwJL+/LuuRuzfGQ0I7EbBuu+F7QAyciCjDyL2xWag3JqAzdaEx0kGBW3WLavdx+aZFqakybtr5uVcHJ4ao0tR3nSocHCdn18LovMJfVwcY3WRGfk5mv2lQ81aywlBVAMkyf9Ih1eOUuECQQD0zjDiVYRn5uVZ1CZVOdt+COide6cbuop3GmGcNy/1gd5tzTTBYFqxKv0ofiRnobn0z3/49TdhljCjp4/l119LAkEA0Y+q1/ba8Hto0YGt4lVsU1UH80NF38VExATMWZp62oQy3wEhOcQwKW8npkOK/6TcC0oFzFXK/nSgmS3S43TJcQJBALsii3fZC3gppxU9+XeY3NLBmKAaECpANOzK++bgwQaZmiCxhyxzraBVTmSP2OBnXrFnlVoIiadNmizgQD3gn3UCQQCaFgUMntoFEPjVc4CjdyQbcd5SpBhwnOAfMVgAWnIS0jmFd5Myomq3TJ/exLMjndieBGOXB04nIyIi/2qdDHZBAkEA54DuEZRbYeOEDkl0Prc077WtYMdqVNpomhdGMDv8BQ+bCmwK/7fUmOqR2tp8Vjr+uQPwmpd5MkItgbCAsN11+g==');
const SPKI = of('MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDIZbh1h++5L7p24lCvSOQsQo7xjJMX5t+On2oGPQBLUdOZUhstmkeQf9l8NIVW7FeyiuTbRoHp4IQJWciIwlEORgTxX2h1svTOrYeMKh6jEyD1X/keTrzFDV2UfgshetXr4YsNgaKaonfEH/tWZiVCWH7078vsd+y3DmuXPN7zGwIDAQAB');
const PKCS1 = of('bsd8oVBCT5mz0DshtfVweKA6pNb99qZ+1L1iyTI79ZLWmtRPxpJDeziI7ijdARjMNz1zmfEi0sTyaW4r3YagH/99f5RDpSSkolnsPigUnBYS2+OopGqBWoID4H96ZfggButu3pUsuR2ljPNM/ytqtW+vY4apzPw5rdgaBHB72zU=');
const PSS = of('ujrN27Us75zZdn239k8oLLZmSZjRBsjNcNsJ6SyFCTrDh1yfrtdjMx3DLO5ZAAelTTmV12rYP5bbCz6UsHDsqxlR8wop+6vTfBpzm5+M9XrNxWKBZ9BTl81doYZWXFGu0yCLeOWFb2MM7WizspFd2bxcuJHhMYWkj4vOXKF3ZK0=');
const SEALED = of('D7BeCCnD/DnjBssw21cAP8kVVpMlTDv7tUajF8hXJoCFSHxjTv3M4S2YwXbh8BwTXvqUJKaHqCjnjsVSJQApQZwFDDXwubjAbSLVVLiLnP+FPXx/W9jC1lmGd43lp8+biRI7tRagvMNOUj83NZc6k+RjetW3r3rXNUk1Qr8NVqc=');

export default async function () {
  const found = {};
  const kind = (name, hash = 'SHA-256') => ({ name, hash });
  const message = text('message');

  // Against another implementation.
  const secret = await subtle.importKey('pkcs8', PKCS8, kind('RSASSA-PKCS1-v1_5'), true, ['sign']);
  const open = await subtle.importKey('spki', SPKI, kind('RSASSA-PKCS1-v1_5'), true, ['verify']);
  found['what a key says'] = open.algorithm.modulusLength === 1024 && hex(open.algorithm.publicExponent) === '010001' && open.algorithm.hash.name === 'SHA-256' && open.type === 'public';
  found['pkcs1 is the same'] = hex(await subtle.sign('RSASSA-PKCS1-v1_5', secret, message)) === hex(PKCS1);
  found['pkcs1 verified'] = await subtle.verify('RSASSA-PKCS1-v1_5', open, PKCS1, message);
  found['pkcs1 of another text'] = !(await subtle.verify('RSASSA-PKCS1-v1_5', open, PKCS1, text('other')));
  const pss = { name: 'RSA-PSS', saltLength: 32 };
  const sees = await subtle.importKey('spki', SPKI, kind('RSA-PSS'), true, ['verify']);
  found['pss verified'] = await subtle.verify(pss, sees, PSS, message);
  found['pss with another salt'] = !(await subtle.verify({ ...pss, saltLength: 20 }, sees, PSS, message));
  found['pss without a salt'] = (await why(subtle.verify('RSA-PSS', sees, PSS, message))) === 'TypeError';
  const signs = await subtle.importKey('pkcs8', PKCS8, kind('RSA-PSS'), true, ['sign']);
  const one = await subtle.sign(pss, signs, message);
  found['pss signed'] = hex(one) !== hex(await subtle.sign(pss, signs, message)) && (await subtle.verify(pss, sees, one, message));
  const opens = await subtle.importKey('pkcs8', PKCS8, kind('RSA-OAEP'), true, ['decrypt', 'unwrapKey']);
  const label = text('label');
  found['oaep opened'] = words(await subtle.decrypt({ name: 'RSA-OAEP', label }, opens, SEALED)) === 'message';
  found['oaep with another label'] = (await why(subtle.decrypt('RSA-OAEP', opens, SEALED))) === 'OperationError';

  // As JWK and back.
  const jwk = await subtle.exportKey('jwk', secret);
  const again = await subtle.importKey('jwk', jwk, kind('RSASSA-PKCS1-v1_5'), true, ['sign']);
  found['jwk and back'] = jwk.kty === 'RSA' && jwk.alg === 'RS256' && jwk.e === 'AQAB' && hex(await subtle.exportKey('pkcs8', again)) === hex(PKCS8);
  const { kty, n, e } = jwk;
  const half = await subtle.importKey('jwk', { kty, n, e }, kind('RSASSA-PKCS1-v1_5'), true, ['verify']);
  found['a public jwk'] = hex(await subtle.exportKey('spki', half)) === hex(SPKI);
  found['a jwk without its primes'] = (await why(subtle.importKey('jwk', { kty, n, e, d: jwk.d }, kind('RSA-PSS'), true, ['sign']))) === 'DataError';
  found['a jwk for something else'] = (await why(subtle.importKey('jwk', jwk, kind('RSASSA-PKCS1-v1_5', 'SHA-1'), true, ['sign']))) === 'DataError';
  found['a public key is not pkcs8'] = (await why(subtle.exportKey('pkcs8', open))) === 'InvalidAccessError' && (await why(subtle.importKey('pkcs8', SPKI, kind('RSA-PSS'), true, ['sign']))) === 'DataError';

  // Keys of our own, which wrap another one.
  const size = { modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]) };
  const pair = await subtle.generateKey({ ...kind('RSA-OAEP', 'SHA-512'), ...size }, false, ['wrapKey', 'unwrapKey', 'encrypt', 'decrypt']);
  found['a new pair'] = pair.privateKey.usages.join() === 'decrypt,unwrapKey' && pair.publicKey.usages.join() === 'encrypt,wrapKey' && pair.privateKey.extractable === false;
  const aes = await subtle.generateKey({ name: 'AES-CBC', length: 128 }, true, ['encrypt']);
  const wrapped = await subtle.wrapKey('raw', aes, await subtle.importKey('spki', SPKI, kind('RSA-OAEP'), true, ['wrapKey']), 'RSA-OAEP');
  const unwrapped = await subtle.unwrapKey('raw', wrapped, opens, 'RSA-OAEP', 'AES-CBC', true, ['encrypt']);
  found['a wrapped key'] = hex(await subtle.exportKey('raw', unwrapped)) === hex(await subtle.exportKey('raw', aes));
  const bad = (parts) => why(subtle.generateKey({ ...kind('RSA-PSS'), ...size, ...parts }, true, ['sign']));
  found['what is no key'] = (await bad({ modulusLength: 100000 })) === 'OperationError' && (await bad({ publicExponent: new Uint8Array([2]) })) === 'OperationError' && (await bad({ publicExponent: 3 })) === 'TypeError';
  found['a text too long'] = (await why(subtle.encrypt('RSA-OAEP', pair.publicKey, new Uint8Array(200)))) === 'OperationError';

  // RFC 7748, section 6.1.
  const alice = await subtle.importKey('pkcs8', unhex('302e020100300506032b656e0422042077076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'), 'X25519', true, ['deriveBits']);
  const bob = await subtle.importKey('raw', unhex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'), 'X25519', true, []);
  found.x25519 = hex(await subtle.deriveBits({ name: 'X25519', public: bob }, alice, 256)) === '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
  check(found, Object.fromEntries(Object.keys(found).map((name) => [name, (all) => all[name] === true])));
}
