// checks: 7
import { check } from 'k6';
import encoding, { b64decode, b64encode } from 'k6/encoding';

export default function () {
  const bytes = new Uint8Array([0, 255, 254, 62, 63]);
  check(null, {
    std: () => b64encode('hello?>') === 'aGVsbG8/Pg==' && b64decode('aGVsbG8/Pg==', 'std', 's') === 'hello?>',
    rawstd: () => b64encode('hello?>', 'rawstd') === 'aGVsbG8/Pg',
    url: () => b64encode('hello?>', 'url') === 'aGVsbG8_Pg==',
    rawurl: () => b64encode('hello?>', 'rawurl') === 'aGVsbG8_Pg' && b64decode('aGVsbG8_Pg', 'rawurl', 's') === 'hello?>',
    'of bytes': () => b64encode(bytes.buffer) === 'AP/+Pj8=' && b64encode(bytes.buffer) === encoding.b64encode(bytes.buffer),
    'to bytes': () => new Uint8Array(b64decode('AP/+Pj8=')).join() === '0,255,254,62,63',
    'other letters': () => b64decode(b64encode('日本'), 'std', 's') === '日本',
  });
}
