// A proxy that ends with its test, and what a client must send to use it.
import { type ListenOptions, type ProxyContextInfo, type ProxyEvent, ProxyServer } from 'tabport'
import { onTestFinished } from 'vitest'
import { ca } from './certificates.ts'

/** Starts a proxy that is stopped when the test ends. */
export async function startProxy(options: ListenOptions = {}): Promise<ProxyServer> {
  const proxy = await ProxyServer.listen(options)
  onTestFinished(() => proxy.stop())
  return proxy
}

/** A proxy, and every event it has reported so far. */
export async function startObserved(options: ListenOptions = {}) {
  const events: ProxyEvent[] = []
  const proxy = await startProxy({ ...options, onEvent: (event) => events.push(event) })
  return { proxy, events }
}

/** Options that lead names under `preview.test` to a server on this machine, and trust its certificate. */
export const previewTo = (port: number, ...names: string[]): ListenOptions => ({
  extraCa: ca,
  connectTo: Object.fromEntries(names.map((name) => [`${name}.preview.test:443`, `127.0.0.1:${port}`])),
})

/** The value of `Proxy-Authorization` for a context. */
export const basic = ({ username, password }: Pick<ProxyContextInfo, 'username' | 'password'>) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

/** The same as a field line, for requests written by hand. */
export const authorization = (context: ProxyContextInfo) => `Proxy-Authorization: ${basic(context)}\r\n`
