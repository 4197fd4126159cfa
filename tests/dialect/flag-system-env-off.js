// args: --include-system-env-vars=false
// variable: MINE=1
// env: OTHER=2
// checks: 1
import { check } from 'k6';

export default function () {
  check(__ENV, { 'only what flags say': (env) => env.MINE === '1' && env.OTHER === undefined && env.PATH === undefined });
}
