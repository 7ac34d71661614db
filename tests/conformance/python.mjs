/**
 * The Python 2.7 that Autobahn needs: the machine's own, or, where Debian's packages can be had, the one of Debian 11,
 * unpacked into the cache. It is installed nowhere, so it meets no other Python and needs no rights.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { cache } from '../../scripts/lib/paths.mjs'
import { ask, quiet } from '../../scripts/lib/run.mjs'
import { StepError } from '../../scripts/lib/step.mjs'

/** The last Debian that has Python 2.7. */
const RELEASE = 'bullseye'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
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

/** With an apt of its own: the system's sources, lists and packages stay as they are. */
async function fetchFromDebian() {
  const mirror = debianMirror()
  if (!mirror) throw new StepError(noPython())
  const apt = path.join(conformanceCache, 'apt')
  rmSync(apt, { recursive: true, force: true })
  mkdirSync(path.join(apt, 'lists', 'partial'), { recursive: true })
  mkdirSync(path.join(apt, 'archives', 'partial'), { recursive: true })
  writeFileSync(path.join(apt, 'sources.list'), `deb [signed-by=${KEYRING}] ${mirror} ${RELEASE} main\n`)
  try {
    await quiet('apt-get', [...aptOptions(apt), '-q', 'update'])
    await quiet('env', ['-C', apt, 'apt-get', ...aptOptions(apt), '-q', 'download', ...PACKAGES])
  } catch (error) {
    throw new StepError(`${error.message}\n${noPython()}`)
  }
  await unpack(apt)
}

const aptOptions = (apt) =>
  [
    `Dir::Etc::SourceList=${path.join(apt, 'sources.list')}`,
    'Dir::Etc::SourceParts=/dev/null',
    `Dir::State::Lists=${path.join(apt, 'lists')}`,
    `Dir::Cache=${apt}`,
    `APT::Sandbox::User=root`,
  ].flatMap((option) => ['-o', option])

/** Unpacks beside the final place and moves: an interrupted run leaves nothing that looks complete. */
async function unpack(apt) {
  const contents = path.join(apt, 'contents')
  for (const name of readdirSync(apt).filter((name) => name.endsWith('.deb'))) {
    await quiet('dpkg-deb', ['-x', path.join(apt, name), contents])
  }
  rmSync(path.dirname(unpacked), { recursive: true, force: true })
  renameSync(contents, path.dirname(unpacked))
  rmSync(apt, { recursive: true })
}

/** Where this Debian gets its own packages from; older releases are in the same place. */
function debianMirror() {
  if (!existsSync('/etc/os-release') || !existsSync(KEYRING)) return undefined
  const codename = /^VERSION_CODENAME=(.+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  const targets = ask('apt-get', ['indextargets', '--format', '$(RELEASE) $(REPO_URI)', 'Component: main']) ?? ''
  const lines = targets.split('\n').map((line) => line.split(' '))
  return lines.find(([release]) => release === codename)?.[1]
}

const noPython = () =>
  'Autobahn needs Python 2.7 with its ssl module, and none was found: `python2.7` does not run, and this is not a ' +
  `Debian whose mirror still has ${RELEASE}'s packages. Build one (\`pyenv install 2.7.18\`) and put it first in PATH, ` +
  'or with pyenv set PYENV_VERSION=2.7.18; then run this again.'
