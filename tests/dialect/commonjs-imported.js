// iterations: 1
// checks: 6
import { check } from 'k6';
import common, { expected } from './lib/common.js';
import * as whole from './lib/common.js';

const again = require('./lib/common.js');
const { b64encode } = require('k6/encoding');
const data = require('./lib/data.json');

export default function () {
  check(null, {
    'default is module.exports': () => common.expected === 200,
    'by name': () => expected === 200,
    'as a whole': () => whole.expected === 200,
    'made once': () => again === common,
    'a module of k6': () => b64encode('a') === 'YQ==',
    'data': () => data.list.length === 2,
  });
}
