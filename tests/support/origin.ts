// Servers that tests put behind the proxy. Each records what reached it and is closed when its test ends.
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import https from 'node:https'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import { serverCertificate } from './certificates.ts'

/** One request as an origin saw it. */
export interface Seen {
  method: string
  url: string
  version: string
  headers: http.IncomingHttpHeaders
  rawHeaders: string[]
  /** Of the TLS connection, where there is one. */
  servername?: string
  alpn?: string
}

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

export interface Origin {
  port: number
  seen: Seen[]
  /** Connections accepted so far. */
  connections: number
  sockets: Set<Socket>
  server: Server
  /** Resets every connection. */
  kill(): void
  close(): Promise<void>
}

interface Where {
  host?: string
  port?: number
}

/** Answers every request with its own view of it, as JSON, unless told otherwise. */
export const echo: Answer = (request, response) => {
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ method: request.method, url: request.url, host: request.headers.host }))
}

export const text =
  (body: string): Answer =>
  (_request, response) => {
    response.end(body)
  }

/** A plain HTTP/1.1 origin. */
export async function startOrigin(answer: Answer = echo, where: Where = {}): Promise<Origin> {
  const server = http.createServer()
  return serve(server, answer, where)
}

/** An HTTPS origin that offers the given protocols by ALPN. */
export async function startTlsOrigin(answer: Answer = echo, protocols: ('h2' | 'http/1.1')[] = ['http/1.1']) {
  const allowHTTP1 = protocols.includes('http/1.1')
  const server = protocols.includes('h2')
    ? http2.createSecureServer({ ...serverCertificate, allowHTTP1 })
    : https.createServer({ ...serverCertificate, ALPNProtocols: protocols })
  return serve(server, answer, {})
}

/** Accepts connections and hands them over raw. */
export async function startRawOrigin(onSocket: (socket: Socket) => void, where: Where = {}): Promise<Origin> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    onSocket(socket)
  })
  return listen(server, [], where)
}

/** An origin on a workspace's address, and a bait on the same port of the user's own localhost. */
export async function startWorkspace(answer: Answer = echo, address = '127.18.0.1') {
  for (;;) {
    const origin = await startOrigin(answer, { host: address })
    const bait = await startBait(origin.port)
    if (bait) return { origin, bait, route: { upstream: `http://${address}:{port}` } }
    await origin.close()
  }
}

/** The user's own machine, which no routed context may reach. Undefined when the port is taken. */
export async function startBait(port = 0): Promise<Origin | undefined> {
  try {
    return await startRawOrigin((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbait'), { port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined
    throw error
  }
}

async function serve(
  server: http.Server | https.Server | http2.Http2SecureServer,
  answer: Answer,
  where: Where,
): Promise<Origin> {
  const seen: Seen[] = []
  const record = (request: IncomingMessage | Http2ServerRequest) => seen.push(seenOf(request))
  const onRequest = (request: IncomingMessage & Http2ServerRequest, response: ServerResponse & Http2ServerResponse) => {
    record(request)
    answer(request, response)
  }
  server.on('request', onRequest as never)
  server.on('upgrade', record)
  server.on('connect', record)
  return listen(server, seen, where)
}

function seenOf(request: IncomingMessage | Http2ServerRequest): Seen {
  const socket = request.socket instanceof TLSSocket ? request.socket : undefined
  return {
    method: request.method ?? '',
    url: request.url ?? '',
    version: request.httpVersion,
    headers: request.headers,
    rawHeaders: request.rawHeaders,
    ...(socket && { servername: String(socket.servername), alpn: String(socket.alpnProtocol) }),
  }
}

async function listen(server: Server, seen: Seen[], { host = '127.0.0.1', port = 0 }: Where): Promise<Origin> {
  const sockets = new Set<Socket>()
  const origin: Origin = {
    port: 0,
    seen,
    connections: 0,
    sockets,
    server,
    kill: () => {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  server.on('connection', (socket: Socket) => {
    origin.connections += 1
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve)
  })
  origin.port = (server.address() as AddressInfo).port
  onTestFinished(() => origin.close())
  return origin
}
