// args: -u 1 -s 300ms:3 -s 300ms:3 -s 0s:1
// value vus_max: 3
// iterations: >=3
import { sleep } from 'k6';

export default function () {
  sleep(0.1);
}
