// The clients that tests send through the proxy.
import { execFile } from 'node:child_process'
import http, { type ClientRequest } from 'node:http'
import http2, { type ClientHttp2Session, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2'
import type { Socket } from 'node:net'
import type { ProxyContextInfo, ProxyServer } from 'tabport'
import { ProxyAgent } from 'undici'
import { onTestFinished } from 'vitest'
import WebSocket from 'ws'
import { basic } from './proxy.ts'

/** undici's own proxy client: in absolute form, or through a tunnel. */
export function undiciAgent(proxy: ProxyServer, context: ProxyContextInfo, proxyTunnel = false): ProxyAgent {
  const agent = new ProxyAgent({ uri: `http://127.0.0.1:${proxy.port()}`, token: basic(context), proxyTunnel })
  onTestFinished(() => agent.destroy())
  return agent
}

/** Opens a tunnel; gives the answer's status too when it is refused. */
export async function connectTunnel(
  proxy: Pick<ProxyServer, 'port'>,
  context: ProxyContextInfo | undefined,
  authority: string,
): Promise<{ status: number; headers: http.IncomingHttpHeaders; socket: Socket }> {
  const headers = context ? { 'Proxy-Authorization': basic(context) } : {}
  const request = http.request({ port: proxy.port(), host: '127.0.0.1', method: 'CONNECT', path: authority, headers })
  return new Promise((resolve, reject) => {
    request.once('error', reject)
    request.once('connect', ({ statusCode = 0, headers }, socket, early) => {
      onTestFinished(() => {
        socket.destroy()
      })
      socket.on('error', () => {})
      if (early.length > 0) socket.unshift(early)
      resolve({ status: statusCode, headers, socket: socket as Socket })
    })
    request.end()
  })
}

/** Sends requests and upgrades to the proxy in absolute form. */
class AbsoluteFormAgent extends http.Agent {
  constructor(
    private readonly proxy: ProxyServer,
    private readonly context: ProxyContextInfo,
    private readonly authority: string,
  ) {
    super()
  }

  addRequest(request: ClientRequest, options: object) {
    request.path = `http://${this.authority}${request.path}`
    request.setHeader('Proxy-Authorization', basic(this.context))
    const toProxy = { ...options, host: '127.0.0.1', port: this.proxy.port() }
    // @ts-expect-error: an agent's one extension point is not in the types.
    super.addRequest(request, toProxy)
  }
}

/** A WebSocket through a tunnel, without credentials inside: what Chromium does for `ws://`. */
export async function webSocketByConnect(
  proxy: ProxyServer,
  context: ProxyContextInfo,
  authority: string,
  { path = '/', protocols = [] as string[] } = {},
): Promise<WebSocket> {
  const { status, socket } = await connectTunnel(proxy, context, authority)
  if (status !== 200) throw new Error(`CONNECT was answered ${status}`)
  return ended(new WebSocket(`ws://${authority}${path}`, protocols, { createConnection: () => socket }))
}

/** A WebSocket by an upgrade request in absolute form. */
export function webSocketByAbsoluteForm(
  proxy: ProxyServer,
  context: ProxyContextInfo,
  authority: string,
  { path = '/', protocols = [] as string[] } = {},
): WebSocket {
  const agent = new AbsoluteFormAgent(proxy, context, authority)
  return ended(new WebSocket(`ws://${authority}${path}`, protocols, { agent }))
}

function ended(socket: WebSocket): WebSocket {
  socket.on('error', () => {})
  onTestFinished(() => socket.terminate())
  return socket
}

/** Speaks HTTP/2 to the proxy by prior knowledge. */
export function http2Session(proxy: Pick<ProxyServer, 'port'>): ClientHttp2Session {
  const session = http2.connect(`http://127.0.0.1:${proxy.port()}`)
  session.on('error', () => {})
  onTestFinished(() => session.destroy())
  return session
}

/** One whole exchange on a stream of an HTTP/2 session. */
export async function http2Request(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string | Uint8Array,
): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }> {
  const stream = session.request(headers, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let head: IncomingHttpHeaders = {}
    stream.once('response', (received) => {
      head = received
    })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('error', reject)
    session.once('error', reject)
    stream.once('end', () => {
      const status = Number(head[':status'])
      if (status) resolve({ status, headers: head, body: Buffer.concat(chunks) })
      else reject(new Error('the stream ended without a response'))
    })
  })
}

/** Runs curl and gives what it printed. */
export async function curl(...args: string[]): Promise<string> {
  const all = ['--silent', '--show-error', '--max-time', '15', ...args]
  return new Promise((resolve, reject) => {
    execFile('curl', all, { env: { PATH: process.env.PATH } }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    )
  })
}
