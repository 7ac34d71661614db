/**
 * Autobahn, the conformance suite for WebSocket: its fuzzing client, installed into the cache by the last pip that runs
 * on Python 2.7, and what it says of a server.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ask, quiet } from '../../scripts/lib/run.mjs'
import { StepError } from '../../scripts/lib/step.mjs'
import { conformanceCache, findPython } from './python.mjs'

const SUITE = 'autobahntestsuite==25.10.1'
const PIP = 'pip==20.3.4'
/** Framing, limits and sizes. Groups 12 and 13, compression, take many minutes a path: see CONTRIBUTING.md. */
const CASES = ['1.*', '2.*', '3.*', '4.*', '5.*', '6.*', '7.*', '9.*', '10.*']

const installed = path.join(conformanceCache, 'suite')
const reports = path.join(conformanceCache, 'reports')

/** Forgets what earlier runs have said. */
export const forgetReports = () => rmSync(reports, { recursive: true, force: true })

export async function installSuite() {
  if (isInstalled()) return `${SUITE}, up to date`
  const pip = await fetchPip()
  const staging = `${installed}.new`
  rmSync(staging, { recursive: true, force: true })
  const options = ['--user', '--use-pep517', '--no-warn-script-location', '--disable-pip-version-check', '-q']
  await runPython(staging, [pip, 'install', ...options, SUITE])
  rmSync(installed, { recursive: true, force: true })
  renameSync(staging, installed)
  if (!isInstalled()) throw new StepError(`${SUITE} was installed, but cannot be imported.`)
  return `${SUITE}, installed`
}

/**
 * Runs the fuzzing client against the server on this port of 127.0.0.1. Returns what it has found: for each case its
 * `behavior`, `behaviorClose` and `remoteCloseCode`.
 */
export async function runSuite(name, port, cases) {
  const outdir = path.join(reports, name.replaceAll(/\W+/g, '-'))
  mkdirSync(outdir, { recursive: true })
  const spec = path.join(outdir, 'spec.json')
  const server = { agent: name, url: `ws://127.0.0.1:${port}` }
  writeFileSync(spec, JSON.stringify({ outdir, servers: [server], cases: cases.length > 0 ? cases : CASES }))
  await runPython(installed, [path.join(installed, 'bin', 'wstest'), '-m', 'fuzzingclient', '-s', spec])
  const index = path.join(outdir, 'index.json')
  const found = existsSync(index) ? JSON.parse(readFileSync(index, 'utf8'))[name] : undefined
  if (!found) throw new StepError(`The fuzzing client ran no case through ${name}.`)
  return found
}

const pythonFor = (userBase) => {
  const [program, ...args] = findPython({ PYTHONUSERBASE: userBase })
  return { program, args }
}

function isInstalled() {
  const { program, args } = pythonFor(installed)
  return ask(program, [...args, '-W', 'ignore', '-c', 'import autobahntestsuite']) !== undefined
}

async function runPython(userBase, more) {
  const { program, args } = pythonFor(userBase)
  await quiet(program, [...args, ...more])
}

/** A Python that is only unpacked has no pip; a wheel of pip runs when it is unpacked, too. */
async function fetchPip() {
  const folder = path.join(conformanceCache, 'pip')
  rmSync(folder, { recursive: true, force: true })
  await quiet('python3', ['-m', 'pip', 'download', '-q', '--no-deps', '--dest', folder, PIP])
  const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'))
  await quiet('python3', ['-m', 'zipfile', '-e', path.join(folder, wheel), folder])
  return path.join(folder, 'pip')
}
