// Crypto-heavy: a request is signed as many APIs want it, and a body is hashed, encrypted and encoded.
import http from 'k6/http';
import crypto from 'k6/crypto';
import encoding from 'k6/encoding';
import { check } from 'k6';

const body = JSON.stringify({ text: 'x'.repeat(4096) });

export default async function () {
  const digest = crypto.sha256(body, 'hex');
  let key = 'secret';
  for (const part of ['20240506', 'region', 'service', 'request']) key = crypto.hmac('sha256', key, part, 'binary');
  const signature = crypto.hmac('sha256', key, digest, 'hex');
  const secret = await globalThis.crypto.subtle.importKey('raw', new Uint8Array(32), 'AES-GCM', false, ['encrypt']);
  const iv = globalThis.crypto.getRandomValues(new Uint8Array(12));
  const sealed = await globalThis.crypto.subtle.encrypt({ name: 'AES-GCM', iv }, secret, new TextEncoder().encode(body));
  const answer = http.post(__ENV.TARGET, encoding.b64encode(sealed), {
    headers: { 'X-Digest': digest, Authorization: `HMAC ${signature}`, 'X-Id': globalThis.crypto.randomUUID() },
  });
  check(answer, { 'status is 200': (r) => r.status === 200, 'signed': () => signature.length === 64 });
}
