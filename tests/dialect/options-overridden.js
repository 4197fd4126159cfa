// args: -u 2 -i 4 --tag team=core
// iterations: 4
// checks: 8
import { check } from 'k6';
import exec from 'k6/execution';

export const options = { vus: 9, duration: '1m', noConnectionReuse: true, own: 'kept' };

// What a script reads of its own options is what the run goes by.
export default function () {
  check(options, {
    'from the command line': (o) => o.vus === 2 && o.iterations === 4 && o.tags.team === 'core',
    'its own': (o) => o.noConnectionReuse === true && o.own === 'kept' && exec.test.options.scenarios.default.vus === 2,
  });
}
