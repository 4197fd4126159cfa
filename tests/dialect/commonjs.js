// iterations: 2
// http_reqs: 2
// checks: 4
const http = require('k6/http');
const { check } = require('k6');
const lib = require('./lib/common');

exports.options = { vus: 1, iterations: 2 };

exports.default = function () {
  const answer = http.get(`${__ENV.BASE}/get`);
  check(answer, { 'status is 200': (r) => r.status === lib.expected, 'a cycle is resolved': () => lib.cycle() === 'common' });
};
