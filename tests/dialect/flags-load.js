// args: -u 2 -d 1s
// value vus_max: 2
// iterations: >=2
import { sleep } from 'k6';

export default function () {
  sleep(0.2);
}
