// What most rows need: a tab that leads to a workspace, and the two forms in which a browser speaks HTTP/1.1 to its
// proxy. Requests are written by hand, so that a row sees the bytes it is about.
import { createHash } from 'node:crypto'
import type { ListenOptions, ProxyContextInfo, ProxyServer } from 'tabport'
import { type Answer, startWorkspace } from '../support/origin.ts'
import { authorization, startProxy } from '../support/proxy.ts'
import { RawClient } from '../support/raw-client.ts'

/** Whom to ask, and for what. */
export interface Asking {
  proxy: Pick<ProxyServer, 'port'>
  context: ProxyContextInfo
  authority: string
}

/** A workspace, a tab that leads to it, and the user's own machine, which the tab must not reach. */
export async function tab(answer?: Answer, options: ListenOptions = {}) {
  const { origin, bait, route } = await startWorkspace(answer)
  const proxy = await startProxy(options)
  const context = proxy.createContext(1, route)
  return { origin, bait, route, proxy, context, authority: `localhost:${origin.port}` }
}

export interface Ask {
  method?: string
  path?: string
  fields?: string
  body?: string
}

export const request = (line: string, host: string, fields = '', body = '') =>
  `${line} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n${body}`

/** Sends one request, on a new connection or the one given, and gives it: the answer is still to be read. */
export type Form = (to: Asking, ask?: Ask, on?: RawClient) => Promise<RawClient>

export const inAbsoluteForm: Form = async (to, { method = 'GET', path = '/', fields = '', body } = {}, on) => {
  const client = on ?? (await RawClient.connect(to.proxy.port()))
  const line = `${method} http://${to.authority}${path}`
  return client.send(request(line, to.authority, authorization(to.context) + fields, body))
}

export const insideConnect: Form = async (to, { method = 'GET', path = '/', fields, body } = {}, on) => {
  const client = on ?? (await openTunnel(to))
  return client.send(request(`${method} ${path}`, to.authority, fields, body))
}

export const FORMS: [name: string, form: Form][] = [
  ['in absolute form', inAbsoluteForm],
  ['inside CONNECT', insideConnect],
]

/** Asks for a tunnel and takes its 200; gives the answer's status in the error when it is another. */
export async function openTunnel(to: Asking): Promise<RawClient> {
  const client = await RawClient.connect(to.proxy.port())
  const { status } = await client.send(connectTo(to)).head()
  if (status !== 200) throw new Error(`CONNECT was answered ${status}`)
  return client
}

export const connectTo = ({ context, authority }: Omit<Asking, 'proxy'>) =>
  request(`CONNECT ${authority}`, authority, authorization(context))

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/** The fields that ask for a WebSocket. */
export const WEBSOCKET = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n`

/** What the server must answer to it (RFC 6455, section 4.2.2). */
export const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
export const SWITCHED = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n`
