// The builds, each skipped when its output was made from the inputs at hand.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { fingerprint, isStamped, stamp } from './fingerprint.mjs'
import { demoMain, gatewayProgram, headroomProgram, inRoot, panickingAddon } from './paths.mjs'
import { ask, bin, quiet, show } from './run.mjs'

/** Written by the build of the addon, and committed. */
const GENERATED = ['index.js', 'index.d.ts']
const RUST_INPUTS = ['native', 'Cargo.toml', 'Cargo.lock', 'rust-toolchain.toml']
const ADDON_INPUTS = [...RUST_INPUTS, 'scripts/addon.mjs', 'package.json', ...GENERATED]
const STATIC_INPUTS = [...RUST_INPUTS, 'scripts/lib/build.mjs']
const DEBUG = ['--locked', '--target-dir', 'target']
const TYPESCRIPT_INPUTS = ['cli', 'electron', 'playwright', 'tsdown.config.ts', 'tsconfig.json', 'package-lock.json']

export async function buildAddon() {
  const built = readdirSync(inRoot()).some((name) => name.endsWith('.node'))
  if (built && isStamped('addon', fingerprint(ADDON_INPUTS))) return 'up to date'
  await show('node', ['scripts/addon.mjs'])
  stamp('addon', fingerprint(ADDON_INPUTS))
  return 'built'
}

/**
 * The programs, and the library that a workspace preloads, are built as the Rust tests build them: optimising takes longer
 * than it is of use to tests or the demo. The demo needs no more than the gateway.
 */
export async function buildGateway() {
  if (existsSync(gatewayProgram) && isStamped('gateway', fingerprint(RUST_INPUTS))) return 'up to date'
  await show('cargo', ['build', ...DEBUG, '--package', 'cmux-proxy', '--package', 'tabport-workspace'])
  stamp('gateway', fingerprint(RUST_INPUTS))
  return 'built'
}

/**
 * All of the workspace with its tests, in one build: a build of some packages has other features of their dependencies, and
 * compiles those anew. The addon in it panics when it is told to: it is for one test, and never in place of the real one.
 */
export async function buildForTests() {
  const built = [gatewayProgram, headroomProgram, panickingAddon].every((file) => existsSync(file))
  if (built && isStamped('for-tests', fingerprint(ADDON_INPUTS))) return 'up to date'
  // Without the command line of napi-rs: what that learns of this build's exports it would put into index.d.ts.
  await show('cargo', ['build', ...DEBUG, '--workspace', '--all-targets', '--features', 'tabport-node/panic-injection'])
  mkdirSync(path.dirname(panickingAddon), { recursive: true })
  copyFileSync(inRoot('target', 'debug', libraryName('tabport_node')), panickingAddon)
  stamp('for-tests', fingerprint(ADDON_INPUTS))
  stamp('gateway', fingerprint(RUST_INPUTS))
  return 'built'
}

/** Linked so, nothing finds the C library's `getrandom` at run time: the kernel's is called, and not /dev/urandom read. */
const STATIC = ['-C target-feature=+crt-static', '--cfg getrandom_backend="linux_getrandom"']

/**
 * A program as one file, for images that hold nothing else. The C library is linked into it, and what that looks up
 * names in is /etc/hosts and DNS. Their own target folder keeps the other builds from starting over.
 */
export async function buildStaticProgram(program) {
  if (process.platform !== 'linux') return 'only on Linux'
  const name = path.basename(program)
  if (existsSync(program) && isStamped(`static-${name}`, fingerprint(STATIC_INPUTS))) return 'up to date'
  const target = ask('rustc', ['--print', 'host-tuple'])
  const folder = path.dirname(program)
  const flags = [process.env.RUSTFLAGS, ...STATIC].filter(Boolean).join(' ')
  const options = ['--release', '--locked', '--package', name, '--target', target, '--target-dir', folder]
  await quiet('cargo', ['build', ...options], { env: { RUSTFLAGS: flags } })
  copyFileSync(path.join(folder, target, 'release', name), program)
  stamp(`static-${name}`, fingerprint(STATIC_INPUTS))
  return `built, ${(statSync(program).size / 1024 / 1024).toFixed(1)} MiB`
}

function libraryName(name) {
  if (process.platform === 'win32') return `${name}.dll`
  return `lib${name}.${process.platform === 'darwin' ? 'dylib' : 'so'}`
}

/** What the generated files contain: a build that changes it has found them stale. */
export const generatedFiles = () => fingerprint(GENERATED)

export async function buildTypeScript() {
  const built = typeScriptOutputs().every((file) => existsSync(file))
  if (built && isStamped('typescript', fingerprint(TYPESCRIPT_INPUTS))) return 'up to date'
  await quiet(bin('tsdown'), [])
  stamp('typescript', fingerprint(TYPESCRIPT_INPUTS))
  return 'built'
}

/** The demo, the command, and what the package exports beside the addon. */
function typeScriptOutputs() {
  const { bin, exports } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))
  const compiled = [exports['./electron'], exports['./playwright']].flatMap((entry) => Object.values(entry))
  const exported = compiled.flatMap((condition) => Object.values(condition))
  return [demoMain, inRoot(bin), ...exported.map((file) => inRoot(file))]
}
