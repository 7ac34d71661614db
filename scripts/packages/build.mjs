/**
 * Builds one platform's addon as it is released, and says beforehand why that cannot be done here.
 *
 * Linux is linked by Zig, for the oldest C library; macOS and Windows by their own tools, on a machine of their own. The
 * addon of a checkout (scripts/addon.mjs) is another: it runs on this machine, and perhaps on no older one.
 */
import { copyFileSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { inRoot } from '../lib/paths.mjs'
import { quiet } from '../lib/run.mjs'
import { StepError } from '../lib/step.mjs'
import { inspect, newestGlibc, violations } from './check.mjs'
import { provideTarget } from './rust-targets.mjs'
import { GLIBC_FLOOR, MACOS_FLOOR } from './targets.mjs'
import { zigEnvironment } from './zig.mjs'

const work = inRoot('target', 'packages', 'build')
/** A library cannot be loaded into Node, on musl, with a C library of its own. */
const MUSL_FLAGS = Object.fromEntries(
  ['X86_64', 'AARCH64'].map((cpu) => [
    `CARGO_TARGET_${cpu}_UNKNOWN_LINUX_MUSL_RUSTFLAGS`,
    '-Ctarget-feature=-crt-static',
  ]),
)
const LIBRARY = { linux: 'libtabport_node.so', darwin: 'libtabport_node.dylib', win32: 'tabport_node.dll' }

/** Why a platform cannot be built on this machine, or undefined. Rust's own libraries for it are fetched if need be. */
export async function cannotBuild({ triple, os }) {
  if (os !== process.platform) return `needs ${{ darwin: 'macOS', win32: 'Windows', linux: 'Linux' }[os]}`
  return (await provideTarget(triple)) ? undefined : `needs \`rustup target add ${triple}\`, which fails here`
}

/**
 * Builds the addons of these platforms into `directory`, each checked, and gives what each says about itself, in words.
 * `profile` is Cargo's. Platforms of Linux are built in one go, which keeps every processor busy to the end.
 */
export async function buildPlatforms(platforms, directory, profile = 'release') {
  for (const group of together(platforms)) {
    await quiet('cargo', cargoArguments(group, profile), { env: environment(group[0]) })
  }
  return platforms.map((platform) => take(platform, directory, profile))
}

function together(platforms) {
  const linux = platforms.filter(({ os }) => os === 'linux')
  const others = platforms.filter(({ os }) => os !== 'linux')
  return [linux, ...others.map((platform) => [platform])].filter((group) => group.length > 0)
}

function take(platform, directory, profile) {
  const built = path.join(work, platform.triple, profile, LIBRARY[platform.os])
  const binary = inspect(built)
  const wrong = violations(binary, platform)
  if (wrong.length > 0) throw new StepError(`${path.relative(inRoot(), built)}:\n- ${wrong.join('\n- ')}`)
  mkdirSync(directory, { recursive: true })
  copyFileSync(built, path.join(directory, platform.binary))
  return `${platform.name}: ${describe(binary)}`
}

function describe(binary) {
  const oldest = newestGlibc(binary) ? [`glibc ${newestGlibc(binary)} or newer`] : []
  return [binary.format, binary.arch, ...oldest, `needs ${binary.libraries.join(', ')}`].join('; ')
}

function cargoArguments(platforms, profile) {
  const command = platforms[0].os === 'linux' ? 'zigbuild' : 'build'
  const targets = platforms.flatMap(({ triple, libc }) => [
    '--target',
    libc === 'glibc' ? `${triple}.${GLIBC_FLOOR}` : triple,
  ])
  return [command, '--profile', profile, '--locked', '--package', 'tabport-node', ...targets, '--target-dir', work]
}

function environment({ os, cpu }) {
  if (os === 'linux') return { ...zigEnvironment(), ...MUSL_FLAGS }
  // Windows has no C runtime of Visual C++ before something installs it.
  if (os === 'win32') return { RUSTFLAGS: '-Ctarget-feature=+crt-static' }
  return { MACOSX_DEPLOYMENT_TARGET: cpu === 'arm64' ? '11.0' : MACOS_FLOOR }
}
