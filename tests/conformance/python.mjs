/**
 * The Python 2.7 that Autobahn needs: the machine's own, or, where Debian's packages can be had, the one of Debian 11,
 * unpacked into the cache. It is installed nowhere, so it meets no other Python and needs no rights.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { unpackDebian } from '../../scripts/lib/debian.mjs'
import { cache } from '../../scripts/lib/paths.mjs'
import { ask } from '../../scripts/lib/run.mjs'
import { StepError } from '../../scripts/lib/step.mjs'

/** The last Debian that has Python 2.7. */
const RELEASE = 'bullseye'
/** The interpreter, its headers (a dependency of Autobahn is compiled), and libraries that later releases lack. */
const PACKAGES = [
  'python2.7-minimal',
  'libpython2.7-minimal',
  'libpython2.7-stdlib',
  'libpython2.7-dev',
  'libssl1.1',
  'libffi7',
]

export const conformanceCache = path.join(cache, 'conformance')
const unpacked = path.join(conformanceCache, 'python2.7', 'usr')

/** The command line that runs a Python 2.7 with these environment variables, or undefined. */
export function findPython(variables = {}) {
  const candidates = [{ binary: 'python2.7', own: {} }, fetched()]
  for (const { binary, own } of candidates.filter(Boolean)) {
    const assignments = Object.entries({ ...own, ...variables }).map(([name, value]) => `${name}=${value}`)
    const command = ['env', ...assignments, binary]
    if (ask(command[0], [...command.slice(1), '-c', 'import ctypes, ssl']) !== undefined) return command
  }
  return undefined
}

/** Finds or fetches a Python 2.7; returns where it is. */
export async function providePython() {
  if (!findPython()) await fetchFromDebian()
  const python = findPython()
  if (!python) throw new StepError(noPython())
  return python.at(-1)
}

/** What was unpacked, and what its programs and its compiler need to know of where that is. */
function fetched() {
  if (!existsSync(unpacked)) return undefined
  const triplet = readdirSync(path.join(unpacked, 'lib')).find((name) => name.includes('-linux-'))
  const include = path.join(unpacked, 'include')
  return {
    binary: path.join(unpacked, 'bin', 'python2.7'),
    own: {
      LD_LIBRARY_PATH: path.join(unpacked, 'lib', triplet),
      C_INCLUDE_PATH: [include, path.join(include, 'python2.7')].join(':'),
    },
  }
}

/** Unpacks beside the final place and moves: an interrupted run leaves nothing that looks complete. */
async function fetchFromDebian() {
  const [apt, contents] = ['apt', 'python2.7.new'].map((name) => path.join(conformanceCache, name))
  rmSync(contents, { recursive: true, force: true })
  try {
    await unpackDebian(RELEASE, apt, { [contents]: PACKAGES })
  } catch (error) {
    throw new StepError(`${error.message}\n${noPython()}`)
  }
  rmSync(path.dirname(unpacked), { recursive: true, force: true })
  renameSync(contents, path.dirname(unpacked))
}

const noPython = () =>
  'Autobahn needs Python 2.7 with its ssl module, and none was found: `python2.7` does not run, and this is not a ' +
  `Debian whose mirror still has ${RELEASE}'s packages. Build one (\`pyenv install 2.7.18\`) and put it first in PATH, ` +
  'or with pyenv set PYENV_VERSION=2.7.18; then run this again.'
