'use strict'

const { readFileSync } = require('fs')

// Literal calls: bundlers and packagers look for them to know which files belong to the application.
const binaries = {
  // @binaries
}

const platform = platformName()
const binding = load()

// Older runtimes have no such symbol, and no `await using` to look for it.
if (Symbol.asyncDispose) {
  Object.defineProperty(binding.ProxyServer.prototype, Symbol.asyncDispose, {
    value: function asyncDispose() {
      return this.stop()
    },
    configurable: true,
    writable: true,
  })
}

function load() {
  const override = process.env.TABPORT_NATIVE_LIBRARY_PATH
  const candidates = override ? [() => require(override)] : binaries[platform] || []
  const causes = []
  for (const candidate of candidates) {
    try {
      return candidate()
    } catch (cause) {
      causes.push(cause)
    }
  }
  throw loadError(causes, override)
}

function loadError(causes, override) {
  const reasons = causes.map((cause) => `\n- ${String(cause && cause.message).split('\n')[0]}`)
  const error = new Error(`tabport cannot load its native addon for ${platform}. ${fix(override)}${reasons.join('')}`)
  error.code = 'ERR_TABPORT_LOAD'
  error.platform = platform
  error.errors = causes
  // The one that tells most: that a file is not there is only news if no other was there either.
  error.cause = causes.find((cause) => cause && cause.code !== 'MODULE_NOT_FOUND') || causes[0]
  return error
}

function fix(override) {
  if (override) return `TABPORT_NATIVE_LIBRARY_PATH is ${JSON.stringify(override)}: correct it, or unset it.`
  if (!binaries[platform]) return `There is none for this platform, only for ${Object.keys(binaries).join(', ')}.`
  const { version } = require('./package.json')
  return [
    'It is in a package of its own, which must be there in the same version:',
    `    npm install --save-optional @tabport/${platform}@${version}`,
    'An app that is packed on another system than it runs on needs the package with the addons of all systems:',
    `    npm install tabport@npm:tabport-all@${version}`,
    'In a checkout, "npm run build" makes it. What was tried:',
  ].join('\n')
}

function platformName() {
  const name = `${process.platform}-${process.arch}`
  if (process.platform === 'win32') return `${name}-msvc`
  if (process.platform === 'linux') return `${name}-${isMusl() ? 'musl' : 'gnu'}`
  return name
}

function isMusl() {
  try {
    return readFileSync('/usr/bin/ldd', 'utf8').includes('musl')
  } catch (_) {
    // A minimal image has no ldd, but then its Node is new enough to say which C library it runs on.
    const report = process.report && process.report.getReport()
    return Boolean(report && report.header) && !report.header.glibcVersionRuntime
  }
}

// @exports
