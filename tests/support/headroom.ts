// A running `headroom-proxy`: the program that Cargo has built, and the lines of JSON that it writes.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { headroomProgram } from '../../scripts/lib/paths.mjs'
import { until } from './poll.ts'

/** What is told of one exchange, at its end. */
export interface Exchange {
  message: string
  method: string
  path: string
  status: number
  outcome: string
  request_id: string
  error?: string
}

export class Headroom {
  /** All that it has written on standard output so far. */
  readonly lines: string[] = []
  /** All that it has written on standard error. */
  complaints = ''

  private constructor(private readonly child: ChildProcess) {
    createInterface({ input: child.stdout! }).on('line', (line) => this.lines.push(line))
    child.stderr?.setEncoding('utf8').on('data', (part) => {
      this.complaints += part
    })
  }

  /** Starts it in front of this upstream, on a free port, and waits until it listens. It ends with the test. */
  static start(upstream: string, args: string[] = []): Promise<Headroom> {
    if (!existsSync(headroomProgram)) throw new Error('headroom-proxy is not built: run `npm run setup`')
    return Headroom.run([headroomProgram, '--listen=127.0.0.1:0', `--upstream=${upstream}`, ...args])
  }

  /** The same with a command that leads to it, or another build of it. */
  static async run([program = '', ...args]: string[], env: Record<string, string> = {}): Promise<Headroom> {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = once(child, 'exit')
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await ended
    })
    const proxy = new Headroom(child)
    await until('headroom-proxy listens', () => child.exitCode !== null || proxy.address())
    if (child.exitCode !== null) throw new Error(`headroom-proxy has ended: ${proxy.complaints}`)
    return proxy
  }

  /** Where it listens, once it does: `127.0.0.1:8787`. */
  address(): string | undefined {
    return this.told().find(({ message }) => message === 'listening')?.address as string | undefined
  }

  url(scheme = 'http'): string {
    return `${scheme}://${this.address()}`
  }

  /** What it has told of the exchanges that have ended. */
  exchanges(): Exchange[] {
    return this.told().filter(({ message }) => message === 'forwarded') as unknown as Exchange[]
  }

  /** Waits for so many exchanges to end. */
  ended(count: number): Promise<Exchange[]> {
    return until(`${count} exchanges have ended`, () => {
      const exchanges = this.exchanges()
      return exchanges.length >= count ? exchanges : undefined
    })
  }

  /** Its exit code, once it has been told to end. */
  async end(): Promise<number | null> {
    const ended = once(this.child, 'close')
    this.child.kill('SIGTERM')
    await ended
    return this.child.exitCode
  }

  private told(): Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line).fields)
  }
}
