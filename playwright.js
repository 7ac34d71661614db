// `tabport/playwright` for resolvers that do not read `exports`.
module.exports = require('./dist/playwright/index.cjs')
