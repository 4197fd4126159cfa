// iterations: 1
// checks: 3
import { check } from 'k6';
import { own } from './lib/opens.js';

const data = JSON.parse(open('./lib/data.json'));
const resolved = open(import.meta.resolve('./lib/data.json'));

export default function () {
  check(null, {
    'relative to the script': () => data.list.length === 2,
    'relative to the module': () => own.list.length === 2,
    'resolved': () => JSON.parse(resolved).list.length === 2,
  });
}
