// The workspace gateway as its users meet it: a program of its own, started with flags and told by signals.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { gatewayProgram } from '../../scripts/lib/paths.mjs'
import { until, within } from './poll.ts'

/** What the program reads of its environment, which must not come from whoever runs the tests. */
const ITS_VARIABLES = /^(CMUX_|RUST_LOG$)/

/** A program that has ended: what it exited with, and all that it has printed. */
export interface Ended {
  code: number | null
  log: string
  lines: string[]
}

export class Gateway {
  /** Each line of standard output so far. */
  readonly lines: string[] = []
  private log = ''
  private readonly ended: Promise<Ended>

  private constructor(private readonly child: ChildProcess) {
    createInterface({ input: child.stdout! }).on('line', (line) => this.lines.push(line))
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.log += text
    })
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve({ code, log: this.log, lines: this.lines }))
    })
  }

  /** Starts one that whoever asked for it must close. It listens on a free port of 127.0.0.1 unless a flag says otherwise. */
  static async launch(flags: string[] = [], environment: Record<string, string> = {}): Promise<Gateway> {
    const gateway = Gateway.spawn(flags, environment)
    const ready = flags.includes('--admin') ? 'admin on ' : 'listening on '
    const isReady = () => gateway.lines.some((line) => line.startsWith(ready))
    const died = gateway.ended.then(({ code, log }) => {
      throw new Error(`cmux-proxy has ended with ${code}:\n${log}`)
    })
    await Promise.race([until('cmux-proxy to listen', isReady), died])
    return gateway
  }

  /** Runs one that cannot start, or is to end by itself. */
  static outcome(flags: string[], environment: Record<string, string> = {}): Promise<Ended> {
    return within('its end', Gateway.spawn(flags, environment).ended)
  }

  private static spawn(flags: string[], environment: Record<string, string>): Gateway {
    if (!existsSync(gatewayProgram)) throw new Error('cmux-proxy is not built: run `npm run setup`')
    const own = Object.entries(process.env).filter(([name]) => !ITS_VARIABLES.test(name))
    const listen = flags.includes('--listen') || environment.CMUX_LISTEN ? [] : ['--listen', '127.0.0.1:0']
    const env = { ...Object.fromEntries(own), ...environment }
    return new Gateway(spawn(gatewayProgram, [...listen, ...flags], { env, stdio: ['ignore', 'pipe', 'pipe'] }))
  }

  /** Every address that it listens on, as it has said so far. */
  addresses = (): string[] => this.said('listening on ')

  /** The port on a host that it listens on. */
  port = (host = '127.0.0.1'): number => portOf(this.addresses().find((address) => address.startsWith(`${host}:`)))

  adminPort = (): number => portOf(this.said('admin on ')[0])

  /** For a route. */
  origin = (): string => `http://127.0.0.1:${this.port()}`

  signal = (name: NodeJS.Signals): boolean => this.child.kill(name)

  hasEnded = (): boolean => this.child.exitCode !== null

  /** Waits until it has ended by itself. */
  end = (): Promise<Ended> => within('its end', this.ended)

  /** Ends it, whatever it is doing. */
  async close(): Promise<Ended> {
    this.child.kill('SIGKILL')
    return this.ended
  }

  private said = (what: string): string[] =>
    this.lines.filter((line) => line.startsWith(what)).map((line) => line.slice(what.length))
}

const portOf = (address = ''): number => Number(address.slice(address.lastIndexOf(':') + 1))

/** One that ends with its test. */
export async function startGateway(flags?: string[], environment?: Record<string, string>): Promise<Gateway> {
  const gateway = await Gateway.launch(flags, environment)
  onTestFinished(async () => {
    await gateway.close()
  })
  return gateway
}
