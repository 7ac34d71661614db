// The machine itself, as checks see it.
import { execFile } from 'node:child_process'
import { lookup } from 'node:dns/promises'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { AddonTrial, Machine } from './finding'

const PATIENCE_MS = 10_000

export function thisMachine(): Machine {
  let trial: Promise<AddonTrial> | undefined
  return {
    platform: process.platform,
    arch: process.arch,
    node: process.versions.node,
    env: process.env,
    cwd: process.cwd(),
    now: new Date(),
    interfaces: Object.keys(networkInterfaces()),
    read: (file) => orNothing(() => readFileSync(file, 'utf8')),
    list: (folder) => orNothing(() => readdirSync(folder)) ?? [],
    exists: existsSync,
    mode: (file) => (process.platform === 'win32' ? undefined : orNothing(() => statSync(file).mode & 0o777)),
    run,
    lookup: (name) =>
      lookup(name, { all: true }).then(
        (all) => all.map(({ address }) => address),
        () => [],
      ),
    bind,
    tryAddon: () => (trial ??= tryAddon()),
  }
}

function orNothing<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch {
    return undefined
  }
}

function run(program: string, args: string[], env: Record<string, string> = {}): Promise<string | undefined> {
  const options = { timeout: PATIENCE_MS, env: { ...process.env, ...env }, windowsHide: true }
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout) => resolve(error ? undefined : stdout))
  })
}

function bind(host: string, port: number): Promise<string | undefined> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'an unknown error'))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

async function tryAddon(): Promise<AddonTrial> {
  let loaded = false
  try {
    const { ProxyServer } = await import('tabport')
    loaded = true
    const proxy = await ProxyServer.listen()
    try {
      const { username, password } = proxy.createContext(1)
      await askProxy(proxy.port(), `${username}:${password}`)
      return { loaded, authority: proxy.certificateAuthority().pem }
    } finally {
      await proxy.stop()
    }
  } catch (error) {
    return { loaded, error: error as Error }
  }
}

/** A request that the proxy answers for itself. */
function askProxy(port: number, credentials: string): Promise<void> {
  const headers = { 'Proxy-Authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }
  const options = {
    host: '127.0.0.1',
    port,
    path: 'http://tabport.invalid/',
    headers,
    timeout: PATIENCE_MS,
    agent: false,
  }
  return new Promise((resolve, reject) => {
    const asked = request(options, (response) => {
      response.resume()
      if (response.statusCode === 204) resolve()
      else reject(new Error(`a request to it was answered ${response.statusCode}`))
    })
    asked.once('timeout', () => asked.destroy(new Error('a request to it was not answered')))
    asked.once('error', reject).end()
  })
}
