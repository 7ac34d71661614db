/**
 * Builds one platform's addon as it is released, and says beforehand why that cannot be done here.
 *
 * Linux is linked by Zig, for the oldest C library; macOS and Windows by their own tools, on a machine of their own. The
 * addon of a checkout (scripts/addon.mjs) is another: it runs on this machine, and perhaps on no older one.
 */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { inRoot } from '../lib/paths.mjs'
import { ask, quiet } from '../lib/run.mjs'
import { StepError } from '../lib/step.mjs'
import { inspect, newestGlibc, violations } from './check.mjs'
import { GLIBC_FLOOR, MACOS_FLOOR } from './targets.mjs'
import { zigEnvironment } from './zig.mjs'

const work = inRoot('target', 'packages', 'build')
const LIBRARY = { linux: 'libtabport_node.so', darwin: 'libtabport_node.dylib', win32: 'tabport_node.dll' }

/** Why a platform cannot be built on this machine, or undefined. */
export function cannotBuild({ triple, os }) {
  if (os !== process.platform) return `needs ${{ darwin: 'macOS', win32: 'Windows', linux: 'Linux' }[os]}`
  const standardLibrary = ask('rustc', ['--print', 'target-libdir', '--target', triple])
  return existsSync(standardLibrary ?? '') ? undefined : `needs \`rustup target add ${triple}\``
}

/** Builds a platform's addon into `directory` and checks it; returns what it says about itself, in words. */
export async function buildPlatform(platform, directory) {
  await quiet('cargo', cargoArguments(platform), { env: environment(platform) })
  const built = path.join(work, platform.triple, 'release', LIBRARY[platform.os])
  const binary = inspect(built)
  const wrong = violations(binary, platform)
  if (wrong.length > 0) throw new StepError(`${path.relative(inRoot(), built)}:\n- ${wrong.join('\n- ')}`)
  mkdirSync(directory, { recursive: true })
  copyFileSync(built, path.join(directory, platform.binary))
  return describe(binary)
}

export function describe(binary) {
  const oldest = newestGlibc(binary) ? [`glibc ${newestGlibc(binary)} or newer`] : []
  return [binary.format, binary.arch, ...oldest, `needs ${binary.libraries.join(', ')}`].join('; ')
}

function cargoArguments({ triple, os, libc }) {
  const target = libc === 'glibc' ? `${triple}.${GLIBC_FLOOR}` : triple
  const command = os === 'linux' ? 'zigbuild' : 'build'
  return [command, '--release', '--locked', '--package', 'tabport-node', '--target', target, '--target-dir', work]
}

function environment({ os, cpu, libc }) {
  // A library cannot be loaded into Node, on musl, with a C library of its own.
  if (libc === 'musl') return { ...zigEnvironment(), RUSTFLAGS: '-Ctarget-feature=-crt-static' }
  if (os === 'linux') return zigEnvironment()
  // Windows has no C runtime of Visual C++ before something installs it.
  if (os === 'win32') return { RUSTFLAGS: '-Ctarget-feature=+crt-static' }
  return { MACOSX_DEPLOYMENT_TARGET: cpu === 'arm64' ? '11.0' : MACOS_FLOOR }
}
