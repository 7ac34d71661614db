// Child processes: shown as they run, or kept quiet until they fail.
import { spawn, spawnSync } from 'node:child_process'
import { inRoot, root } from './paths.mjs'
import { StepError } from './step.mjs'

const isWindows = process.platform === 'win32'
const HEARTBEAT_MS = 5_000
/** Cargo says a megabyte of a workspace, which is where Node would stop reading. */
const MOST_ASKED_FOR = 64 * 2 ** 20

/** The command's trimmed standard output, or undefined when it cannot be run or fails. */
export function ask(command, args, { stderr = 'ignore' } = {}) {
  const stdio = ['ignore', 'pipe', stderr]
  const options = { cwd: root, encoding: 'utf8', stdio, shell: isWindows, maxBuffer: MOST_ASKED_FOR }
  const { status, stdout } = spawnSync(command, args, options)
  return status === 0 ? stdout.trim() : undefined
}

/** Runs a command on the terminal. `onOutput` sees a copy of its standard output. */
export function show(command, args, { env, onOutput } = {}) {
  const stdout = onOutput ? 'pipe' : 'inherit'
  const child = start(command, args, env, ['inherit', stdout, 'inherit'])
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    process.stdout.write(text)
    onOutput(text)
  })
  return ended(child, command, args, () => '')
}

/** Runs a command with no more than a sign of life; what it printed becomes part of the error when it fails. */
export function quiet(command, args, { env } = {}) {
  const child = start(command, args, env, ['ignore', 'pipe', 'pipe'])
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      printed += text
    })
  }
  const began = Date.now()
  const heartbeat = setInterval(() => console.log(`  … ${Math.round((Date.now() - began) / 1000)} s`), HEARTBEAT_MS)
  return ended(child, command, args, () => printed).finally(() => clearInterval(heartbeat))
}

/** The path of a development dependency's command. */
export const bin = (name) => inRoot('node_modules', '.bin', isWindows ? `${name}.cmd` : name)

function start(command, args, env, stdio) {
  return spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio, shell: isWindows })
}

function ended(child, command, args, printed) {
  const line = [command, ...args].join(' ')
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new StepError(`Cannot run \`${line}\`: ${error.message}`)))
    child.once('close', (status, signal) => {
      if (status === 0) resolve()
      else reject(new StepError(`${printed()}\`${line}\` failed (${signal ?? `exit status ${status}`}).`))
    })
  })
}
