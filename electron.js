// `tabport/electron` for resolvers that do not read `exports`, such as the Node 12 inside Electron 9.
module.exports = require('./dist/electron/index.cjs')
