// One-time passwords by time (RFC 6238): https://jslib.k6.io/totp
import { hmac } from 'k6/crypto';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function unbase32(text) {
  const bits = [...text.toUpperCase().replace(/[=\s-]/g, '')].map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => parseInt(byte, 2));
}

export class TOTP {
  constructor(secret, digits = 6, algorithm = 'sha1', seconds = 30) {
    Object.assign(this, { secret, digits, algorithm: algorithm.toLowerCase().replace('-', ''), seconds });
  }
  #code(counter) {
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setBigUint64(0, BigInt(counter));
    const sum = new Uint8Array(hmac(this.algorithm, unbase32(this.secret).buffer, bytes.buffer, 'binary'));
    const at = sum[sum.length - 1] & 15;
    const number = new DataView(sum.buffer).getUint32(at) & 0x7fffffff;
    return String(number % 10 ** this.digits).padStart(this.digits, '0');
  }
  async gen(time = Date.now()) {
    return this.#code(Math.floor(time / 1000 / this.seconds));
  }
  async verify(code, window = 1) {
    const now = Math.floor(Date.now() / 1000 / this.seconds);
    for (let at = now - window; at <= now + window; at++) if (this.#code(at) === code) return true;
    return false;
  }
}

export default { TOTP };
