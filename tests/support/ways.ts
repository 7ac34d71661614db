// The ways in which a client can have one and the same exchange with a server behind the proxy. Each gives a
// duplex stream: the bytes of an HTTP/1.1 connection, the client's part of which is written by hand, or a
// stream of HTTP/2, whose body it is.
import { once } from 'node:events'
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2'
import net, { type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ProxyContextInfo } from 'tabport'
import { onTestFinished } from 'vitest'
import { type End, type Message, readMessage } from './message.ts'
import { authorization, basic } from './proxy.ts'

/** Where to: a port of this machine, through a proxy. */
export interface Towards {
  proxy: { port(): number }
  /** A context without a route. */
  plain: ProxyContextInfo
  /** A context whose `localhost` leads to 127.0.0.1. */
  routed: ProxyContextInfo
  port: number
  /** Kept by the ways that use it, so that many exchanges share one connection. */
  session?: ClientHttp2Session
  /** The same inside TLS, in a tunnel. */
  inside?: Promise<ClientHttp2Session>
  /** Whom clients trust that speak TLS to the proxy. */
  ca?: string
}

export interface Ask {
  method?: 'GET' | 'POST'
  fields?: Record<string, string>
}

/** An exchange whose request head is sent. */
export interface Exchange {
  duplex: Duplex
  /** Whether the duplex carries HTTP/1.1 rather than a body alone. */
  raw: boolean
  /** Breaks it off from the client's side. */
  breakOff(): void
}

export type Way = (to: Towards, ask: Ask) => Promise<Exchange>

export const absoluteForm: Way = async (to, ask) => {
  const socket = await open(to.proxy.port())
  socket.write(head(`http://127.0.0.1:${to.port}/`, '1.1', to, ask, authorization(to.plain)))
  return overSocket(socket)
}

/** A client that knows no chunks: only a reset tells it that a body of unknown length is not whole. */
export const http10: Way = async (to, ask) => {
  const socket = await open(to.proxy.port())
  socket.write(head(`http://127.0.0.1:${to.port}/`, '1.0', to, ask, authorization(to.plain)))
  return overSocket(socket)
}

export const connect: Way = async (to, ask) => {
  const socket = await openTunnel(to.proxy.port(), to.plain, `127.0.0.1:${to.port}`)
  socket.write(head('/', '1.1', to, ask))
  return overSocket(socket)
}

/** What is inside is served by the proxy as HTTP, not relayed unread. */
export const connectRouted: Way = async (to, ask) => {
  const socket = await openTunnel(to.proxy.port(), to.routed, `localhost:${to.port}`)
  socket.write(head('/', '1.1', { ...to, host: 'localhost' }, ask))
  return overSocket(socket)
}

export const overHttp2: Way = async (to, { method = 'GET', fields = {} }) => {
  const pseudo = { ':method': method, ':scheme': 'http', ':authority': `127.0.0.1:${to.port}`, ':path': '/' }
  const all = { ...pseudo, 'proxy-authorization': basic(to.plain), ...lowerCase(fields) }
  return overStream(sessionOf(to), all, method === 'GET', false)
}

/** Fields as HTTP/2 has them, which frames a body by itself. */
export function lowerCase(fields: Record<string, string>): Record<string, string> {
  const { 'transfer-encoding': _, ...lower } = Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]),
  )
  return lower
}

export const connectOverHttp2: Way = async (to, ask) => {
  const exchange = await openHttp2Tunnel(to)
  exchange.duplex.write(head('/', '1.1', to, ask))
  return exchange
}

/** Opens a tunnel on a stream of HTTP/2. */
export async function openHttp2Tunnel(to: Towards): Promise<Exchange> {
  const pseudo = { ':method': 'CONNECT', ':authority': `127.0.0.1:${to.port}` }
  const exchange = overStream(sessionOf(to), { ...pseudo, 'proxy-authorization': basic(to.plain) }, false, true)
  const [{ ':status': status }] = await once(exchange.duplex, 'response')
  if (status !== 200) throw new Error(`CONNECT was answered ${status}`)
  return exchange
}

/** Opens a tunnel; whatever follows the answer's head is left to be read. */
export async function openTunnel(port: number, context: ProxyContextInfo, authority: string): Promise<Socket> {
  const socket = await open(port)
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization(context)}\r\n`)
  const received = await firstOf(socket, '\r\n\r\n')
  const end = received.indexOf('\r\n\r\n') + 4
  if (!received.includes('HTTP/1.1 200 ') || end < 4) throw new Error(`CONNECT was answered ${received}`)
  if (received.length > end) socket.unshift(received.subarray(end))
  return socket
}

/** What is received up to some text, or to the end; whatever follows is left to be read once it is resumed. */
async function firstOf(socket: Socket, text: string): Promise<Buffer> {
  let received = Buffer.alloc(0)
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    received = Buffer.concat([received, chunk])
    if (received.includes(text)) break
  }
  return received
}

/** A connection to a port of this machine, closed when the test ends. */
export async function open(port: number): Promise<Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  onTestFinished(() => {
    socket.destroy()
  })
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

/** Reads an exchange's response until it is whole or its connection has ended. */
export const outcome = (exchange: Pick<Exchange, 'duplex' | 'raw'>): Promise<Message> => read(exchange).done

/** The same, and what there is of it so far. */
export function read({ duplex, raw }: Pick<Exchange, 'duplex' | 'raw'>): Reading {
  const chunks: Buffer[] = []
  duplex.on('data', (chunk: Buffer) => chunks.push(chunk))
  const received = () => Buffer.concat(chunks)
  const reading = raw ? readConnection(duplex, received) : readStream(duplex as ClientHttp2Stream, received)
  duplex.resume()
  return reading
}

export interface Reading {
  soFar(): Message
  done: Promise<Message>
}

/**
 * Node takes a reset for an orderly end when there are bytes before it that it has not read yet: a test for which
 * that makes a difference waits for the bytes first.
 */
function readConnection(duplex: Duplex, received: () => Buffer): Reading {
  let end: End = duplex.destroyed ? 'reset' : 'open'
  const soFar = () => readMessage(received(), end)
  const done = new Promise<Message>((resolve) => {
    const look = () => {
      const message = soFar()
      if (!message.whole && end === 'open') return
      duplex.destroy()
      resolve(message)
    }
    const ends = (how: End) => () => {
      if (end === 'open') end = how
      look()
    }
    // A stream that is reset emits this too.
    duplex.once('end', () => ends((duplex as ClientHttp2Stream).rstCode ? 'reset' : 'ended')())
    duplex.on('data', look).once('error', ends('reset')).once('close', ends('reset'))
    look()
  })
  return { soFar, done }
}

function readStream(stream: ClientHttp2Stream, body: () => Buffer): Reading {
  let ended = false
  stream.once('end', () => {
    ended = true
  })
  const isWhole = () => ended && stream.rstCode === 0 && !stream.aborted
  const soFar = () => ({ status: Number(statuses.get(stream) ?? 0), body: body(), whole: isWhole() })
  const closed = stream.destroyed ? undefined : new Promise((resolve) => stream.once('close', resolve))
  return { soFar, done: Promise.resolve(closed).then(soFar) }
}

const statuses = new WeakMap<ClientHttp2Stream, unknown>()

function overSocket(socket: Socket): Exchange {
  return { duplex: socket, raw: true, breakOff: () => socket.resetAndDestroy() }
}

/** A stream is broken off by an abort: `close` would end its body before it resets it. */
export function overStream(
  session: ClientHttp2Session,
  fields: OutgoingHttpHeaders,
  endStream: boolean,
  raw: boolean,
): Exchange {
  const abort = new AbortController()
  const stream = session.request(fields, { endStream, signal: abort.signal })
  stream.on('error', () => {})
  stream.once('response', (headers) => statuses.set(stream, headers[':status']))
  return { duplex: stream, raw, breakOff: () => abort.abort() }
}

function sessionOf(to: Towards): ClientHttp2Session {
  if (to.session && !to.session.closed && !to.session.destroyed) return to.session
  const session = http2.connect(`http://127.0.0.1:${to.proxy.port()}`)
  session.on('error', () => {})
  session.setMaxListeners(0)
  onTestFinished(() => session.destroy())
  to.session = session
  return session
}

export function head(
  target: string,
  version: string,
  { port, host = '127.0.0.1' }: { port: number; host?: string },
  { method = 'GET', fields = {} }: Ask,
  proxyFields = '',
): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${target} HTTP/${version}\r\nHost: ${host}:${port}\r\n${proxyFields}${lines.join('')}\r\n`
}
