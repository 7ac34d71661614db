// A running `cmux-proxy`, as one file: what `npm run build:gateway` makes.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import http, { type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { staticGateway } from '../../scripts/lib/paths.mjs'
import { until } from '../support/poll.ts'

export { staticGateway }

/** It is one file on Linux alone. */
export const isBuiltHere = process.platform === 'linux'

export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: string
}

export class Gateway {
  private said = ''

  private constructor(private readonly child: ChildProcess) {
    child.stdout?.setEncoding('utf8').on('data', (part) => {
      this.said += part
    })
    child.stderr?.resume()
  }

  /** Starts it with these arguments, or a command that leads to it, and waits until it listens. It ends with the test. */
  static async start(args: string[], { command = [staticGateway], env = {} } = {}): Promise<Gateway> {
    const [program = staticGateway, ...before] = command
    if (!existsSync(staticGateway)) throw new Error(`${staticGateway} is missing: run \`npm run build:gateway\``)
    const child = spawn(program, [...before, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = once(child, 'exit')
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await ended
    })
    const gateway = new Gateway(child)
    const hasAdmin = 'CMUX_ADMIN' in env || args.some((argument) => argument.startsWith('--admin'))
    const last = hasAdmin ? 'admin' : 'listening'
    await until('the gateway listens', () => child.exitCode !== null || gateway.port(last))
    if (child.exitCode !== null) throw new Error(`the gateway has ended with ${child.exitCode}`)
    return gateway
  }

  /** Where it listens, for clients or for those who run it. */
  port(listener: 'listening' | 'admin'): number {
    return Number(new RegExp(`^${listener} on .*:(\\d+)$`, 'm').exec(this.said)?.[1])
  }

  get(listener: 'listening' | 'admin', path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return get(this.port(listener), path, headers)
  }

  /** Resident memory in MiB. */
  memory(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
  }

  /** Its exit code, once it has been told to end. */
  async end(): Promise<number | null> {
    const ended = once(this.child, 'exit')
    this.child.kill('SIGTERM')
    await ended
    return this.child.exitCode
  }
}

async function get(port: number, path: string, headers: Record<string, string>): Promise<Answer> {
  const request = http.get({ host: '127.0.0.1', port, path, headers, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) }
}
