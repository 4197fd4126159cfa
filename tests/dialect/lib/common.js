// Required and imported by scripts of this folder.
const other = require('./other.js');

module.exports = { expected: 200, name: 'common', cycle: () => other.name() };
