// What must be there before anything else: Node, npm, Rust, a C compiler and, for downloads, Python with pip.
import { readFileSync } from 'node:fs'
import { mustFetchElectron } from './electron.mjs'
import { inRoot } from './paths.mjs'
import { ask } from './run.mjs'
import { StepError } from './step.mjs'

const OLDEST_NODE = '20'

/** Throws one error that names all that is missing, with `alsoMissing`, and how to get it; returns what was found. */
export function checkToolchain(alsoMissing) {
  const problems = [node(), npm(), rust(), compiler(), pip()].filter(Boolean)
  if (problems.length === 0) return `Node ${process.versions.node}, ${ask('cargo', ['--version'])}`
  const list = problems.map((problem) => `  - ${problem}`).join('\n')
  throw new StepError([`This is needed first, then run this again:\n${list}`, alsoMissing].filter(Boolean).join('\n\n'))
}

function node() {
  if (isAtLeast(process.versions.node, OLDEST_NODE)) return undefined
  return `Node ${OLDEST_NODE} or newer; this is ${process.versions.node}. Get it from nodejs.org or a version manager.`
}

function npm() {
  return ask('npm', ['--version']) ? undefined : 'npm; it comes with Node, as a package of its own in Debian.'
}

/** What rust-toolchain.toml names is fetched here by rustup: what counts is the version seen in the repository. */
function rust() {
  const oldest = /^rust-version = "(.+)"/m.exec(readFileSync(inRoot('Cargo.toml'), 'utf8'))[1]
  const found = ['cargo', 'rustc'].map((name) => ask(name, ['--version'], { stderr: 'inherit' }) ?? `${name} (none)`)
  if (found.every((text) => isAtLeast(text.split(' ')[1], oldest))) return undefined
  return `Rust ${oldest} or newer; here are ${found.join(' and ')}. Get it with rustup (rustup.rs) or \`rustup update\`.`
}

/** Windows has no `cc`: rustc and the build scripts find Visual Studio's tools by themselves. */
function compiler() {
  if (process.platform === 'win32' || ask('cc', ['--version'])) return undefined
  return 'A C compiler: `cc` was not found. In Debian: `apt-get install gcc libc6-dev`.'
}

function pip() {
  if (!mustFetchElectron() || ask('python3', ['-m', 'pip', '--version'])) return undefined
  return (
    'Python 3 with pip, to fetch an Electron: `python3 -m pip` failed. In Debian: `apt-get install python3-pip`. ' +
    'Or name an Electron in TABPORT_ELECTRON.'
  )
}

function isAtLeast(version, oldest) {
  const [found, wanted] = [version, oldest].map((text) => text.split('.').map((part) => Number.parseInt(part, 10)))
  const differs = wanted.findIndex((part, index) => part !== found[index])
  return differs === -1 || found[differs] > wanted[differs]
}
