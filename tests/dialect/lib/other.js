const common = require('./common.js');

exports.name = () => require('./common.js').name;
exports.early = common.name;
