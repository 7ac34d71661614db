// The two builds, each skipped when its output was made from the inputs at hand.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fingerprint, isStamped, stamp } from './fingerprint.mjs'
import { demoMain, inRoot } from './paths.mjs'
import { bin, quiet, show } from './run.mjs'

/** Written by the build of the addon, and committed. */
const GENERATED = ['index.js', 'index.d.ts']
const ADDON_INPUTS = [
  'native',
  'Cargo.toml',
  'Cargo.lock',
  'rust-toolchain.toml',
  'scripts/addon.mjs',
  'package.json',
  ...GENERATED,
]
const TYPESCRIPT_INPUTS = ['electron', 'tsdown.config.ts', 'tsconfig.json', 'package-lock.json']

export async function buildAddon() {
  const built = readdirSync(inRoot()).some((name) => name.endsWith('.node'))
  if (built && isStamped('addon', fingerprint(ADDON_INPUTS))) return 'up to date'
  await show('node', ['scripts/addon.mjs'])
  stamp('addon', fingerprint(ADDON_INPUTS))
  return 'built'
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

/** The demo, and what the package exports as `tabport/electron`. */
function typeScriptOutputs() {
  const { exports } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))
  const exported = Object.values(exports['./electron']).flatMap((condition) => Object.values(condition))
  return [demoMain, ...exported.map((file) => inRoot(file))]
}
