// Child processes that say on their standard output when they are ready, and that never outlive the bench.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { StepError } from '../scripts/lib/step.mjs'

const PATIENCE_MS = 20_000
const running = new Set()

// The last resort, whatever ends the bench. Our own programs also end when their standard input does.
process.on('exit', () => {
  for (const child of running) kill(child)
})
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
]) {
  process.on(signal, () => process.exit(status))
}

/** Ends it with all that it has started: it leads a process group of its own. */
function kill({ pid }) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** A child process: `line()` is the next line that it prints, `tell()` writes one to it. */
export class Child {
  #process
  #lines
  #complaints = ''
  #ended

  constructor(command, args, { env = {}, patience = PATIENCE_MS } = {}) {
    this.patience = patience
    this.name = [command.split('/').at(-1), ...args].join(' ')
    this.#process = spawn(command, args, { env: { ...process.env, ...env }, stdio: 'pipe', detached: true })
    running.add(this.#process)
    this.#ended = new Promise((resolve) => {
      this.#process.once('error', (error) => resolve(error.message))
      this.#process.once('close', (status, signal) => resolve(signal ?? `exit status ${status}`))
    }).finally(() => running.delete(this.#process))
    this.#process.stdin.on('error', () => {})
    this.#process.stderr.setEncoding('utf8').on('data', (text) => {
      this.#complaints = (this.#complaints + text).slice(-2000)
    })
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  get pid() {
    return this.#process.pid
  }

  /** The next line that it prints. */
  async line() {
    const timer = setTimeout(() => kill(this.#process), this.patience)
    const { value, done } = await this.#lines.next()
    clearTimeout(timer)
    if (done) throw new StepError(`\`${this.name}\` said nothing (${await this.#ended}). ${this.#complaints}`)
    return value
  }

  /** The next line, as JSON. */
  async answer() {
    return JSON.parse(await this.line())
  }

  /** Waits until `probe` resolves to true, as long as the process is there. */
  async until(what, probe) {
    const deadline = Date.now() + this.patience
    while (!(await probe())) {
      const gone = !running.has(this.#process)
      if (!gone && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20))
      else
        throw new StepError(
          `\`${this.name}\` never ${what} (${gone ? await this.#ended : 'too late'}). ${this.#complaints}`,
        )
    }
  }

  tell(line) {
    this.#process.stdin.write(`${line}\n`)
  }

  /** Ends it, if it has not ended, and waits until it has. */
  async stop() {
    if (!running.has(this.#process)) return
    const timer = setTimeout(() => kill(this.#process), 3_000)
    this.#process.stdin.end()
    this.#process.kill('SIGTERM')
    await this.#ended
    clearTimeout(timer)
  }
}

/** Runs a program that prints one line of JSON and ends. */
export async function ask(command, args) {
  const child = new Child(command, args)
  const answer = await child.answer()
  await child.stop()
  return answer
}

/** Whether a TCP connection to the port succeeds. */
export async function accepts(net, port) {
  const socket = net.connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
