// iterations: 1
// checks: 3
import { check } from 'k6';
import encoding from 'k6/encoding';

export default function () {
  check('a?>b', {
    'an unknown name is std': (text) => encoding.b64encode(text, 'base64') === encoding.b64encode(text, 'std'),
    'both ways': (text) => encoding.b64decode(encoding.b64encode(text), 'nonsense', 's') === text,
    'the others are what they are': (text) => encoding.b64encode(text, 'rawurl') === 'YT8-Yg',
  });
}
