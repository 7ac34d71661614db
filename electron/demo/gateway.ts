/**
 * The workspace gateway, run as whoever has many workspaces on a host runs it: `cmux-proxy`, a program of its own, with
 * a token.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { get } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const NAME = process.platform === 'win32' ? 'cmux-proxy.exe' : 'cmux-proxy'
/** From where this is built to. */
const PROGRAM = join(__dirname, '..', '..', 'target', 'debug', NAME)
const TOKEN_BYTES = 16

export interface Gateway {
  /** What a route calls `cmuxProxyOrigin`. */
  readonly origin: string
  readonly token: string
  /** How many requests it has had, as it tells those who run it. */
  requests(): Promise<number>
  /** Ends it; what is open through it ends, too. */
  close(): void
}

export async function startGateway(): Promise<Gateway> {
  const token = randomBytes(TOKEN_BYTES).toString('hex')
  const child = spawn(PROGRAM, ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'], {
    env: { ...process.env, CMUX_AUTH_TOKEN: token, RUST_LOG: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = new Map<string, string>()
  await new Promise<void>((resolve, reject) => {
    child.once('error', () => reject(new Error(`cannot run ${PROGRAM}: \`npm run setup\` builds it`)))
    child.once('exit', (code) => reject(new Error(`cmux-proxy ended with ${code} before it listened`)))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, what = '', address = ''] = /^(\w+) on (.+)$/.exec(line) ?? []
      said.set(what, address)
      if (what === 'admin') resolve()
    })
  })
  return {
    origin: `http://${said.get('listening')}`,
    token,
    requests: () => requestsAt(`http://${said.get('admin')}/metrics`),
    close: () => void child.kill(),
  }
}

async function requestsAt(url: string): Promise<number> {
  const metrics = await new Promise<string>((resolve, reject) => {
    get(url, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part) => (text += part))
      response.once('end', () => resolve(text))
    }).once('error', reject)
  })
  return Number(/^cmux_proxy_requests_total (\d+)$/m.exec(metrics)?.[1])
}
