// exit: 107
// says: https://modules.example.test/x.js
// says: --allow-remote-modules
import { x } from 'https://modules.example.test/x.js';

export default function () {
  x();
}
