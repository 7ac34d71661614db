// What the rows about the gateway need: the program in front of two workspaces with a server on one port, and every way
// in which a client can ask it.
import { once } from 'node:events'
import http, { type OutgoingHttpHeaders } from 'node:http'
import { onTestFinished } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import { http2Request, http2Session } from '../support/clients.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin, text } from '../support/origin.ts'
import { within } from '../support/poll.ts'
import { RawClient } from '../support/raw-client.ts'
import { request } from './fixture.ts'

/** What a gateway has answered: 200 is that of a WebSocket that has been opened, too. */
export interface Answered {
  status: number
  /** By the server, or by the gateway itself. */
  said: string
}

type Fields = Record<string, string>
export type Way = (gateway: Pick<Gateway, 'port'>, fields: Fields) => Promise<Answered>

/** A gateway, and servers on one port of two workspaces and of the host itself: each says where it is, in any way. */
export async function startAll(flags?: string[], environment?: Fields) {
  const gateway = await startGateway(flags, environment)
  for (;;) {
    const here = await startServer('here', '127.0.0.1')
    const others = await Promise.all([1, 2].map((n) => startServer(`workspace ${n}`, `127.18.0.${n}`, here.port)))
    const [one, two] = others
    if (one && two) return { gateway, here, one, two, port: String(here.port) }
    await Promise.all([here, one, two].map((origin) => origin?.close()))
  }
}

/** Undefined when the port asked for is taken. */
async function startServer(name: string, host: string): Promise<Origin>
async function startServer(name: string, host: string, port: number): Promise<Origin | undefined>
async function startServer(name: string, host: string, port = 0): Promise<Origin | undefined> {
  const starting = startOrigin(text(name), { host, port })
  const origin = await starting.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
  })
  if (origin) {
    const sockets = new WebSocketServer({ server: origin.server as never })
    sockets.on('connection', (socket) => socket.send(name))
  }
  return origin ?? undefined
}

/** The fields that lead to a workspace's server. */
export const routing = (port: string | number, workspace?: string): Fields => ({
  'X-Cmux-Port-Internal': String(port),
  ...(workspace !== undefined && { 'X-Cmux-Workspace-Internal': workspace }),
})

export async function overHttp1(gateway: Pick<Gateway, 'port'>, headers: Fields, path = '/'): Promise<Answered> {
  const sent = http.get({ host: '127.0.0.1', port: gateway.port(), agent: false, headers, path })
  const [response] = (await within('the answer', once(sent, 'response'))) as [http.IncomingMessage]
  return answered(response)
}

export const overHttp2: Way = async (gateway, { Host = 'any.test', ...fields }) => {
  const pseudo = { ':method': 'GET', ':scheme': 'http', ':authority': Host, ':path': '/' }
  const { status, body } = await http2Request(http2Session(gateway), { ...pseudo, ...fields })
  return { status, said: String(body) }
}

export const byWebSocket: Way = async (gateway, headers) => {
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port()}/`, { headers })
  onTestFinished(() => socket.terminate())
  const answer = new Promise<Answered>((resolve, reject) => {
    socket.once('message', (said) => resolve({ status: 200, said: String(said) }))
    socket.once('unexpected-response', (_sent, response) => answered(response).then(resolve, reject))
    socket.once('error', reject)
  })
  return within('the greeting', answer)
}

export const byConnect: Way = async (gateway, { Host = 'any.test', ...fields }) => {
  const client = await RawClient.connect(gateway.port())
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  client.send(request(`CONNECT ${Host}:1`, `${Host}:1`, lines.join('')))
  const { status, all } = await client.head()
  if (status !== 200) return { status, said: await client.bytes(Number(all('Content-Length')[0])) }
  return { status, said: bodyOf(await client.send(INSIDE).rest()) }
}

/** Opens a stream of HTTP/2 that goes on both ways. */
async function openStream(gateway: Pick<Gateway, 'port'>, headers: OutgoingHttpHeaders) {
  const stream = http2Session(gateway).request({ ':method': 'CONNECT', ...headers }, { endStream: false })
  stream.on('error', () => {})
  const [head] = await within('the answer', once(stream, 'response'))
  return { stream, status: Number(head[':status']) }
}

/** RFC 8441; the server's greeting is a short text in one frame. */
export const byWebSocketOverHttp2: Way = async (gateway, { Host = 'any.test', ...fields }) => {
  const pseudo = { ':protocol': 'websocket', ':scheme': 'http', ':authority': Host, ':path': '/' }
  const { stream, status } = await openStream(gateway, { ...pseudo, 'sec-websocket-version': '13', ...fields })
  if (status !== 200) return { status, said: await rest(stream) }
  const [frame] = await within('the greeting', once(stream, 'data'))
  return { status, said: String(frame.subarray(2)) }
}

export const byConnectOverHttp2: Way = async (gateway, { Host = 'any.test', ...fields }) => {
  const { stream, status } = await openStream(gateway, { ':authority': `${Host}:1`, ...fields })
  if (status !== 200) return { status, said: await rest(stream) }
  stream.write(INSIDE)
  return { status, said: bodyOf(await rest(stream)) }
}

export const TUNNELS: [name: string, way: Way][] = [
  ['CONNECT', byConnect],
  ['CONNECT over HTTP/2', byConnectOverHttp2],
]

/** Those in which the gateway reads the request itself. */
export const REQUESTS: [name: string, way: Way][] = [
  ['HTTP/1.1', overHttp1],
  ['HTTP/2', overHttp2],
  ['WebSocket', byWebSocket],
  ['WebSocket over HTTP/2', byWebSocketOverHttp2],
]

export const WAYS = [...REQUESTS, ...TUNNELS]

/** What is asked of the server at a tunnel's other end. */
const INSIDE = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

const bodyOf = (message: string): string => message.split('\r\n\r\n')[1] ?? ''

async function answered(response: http.IncomingMessage): Promise<Answered> {
  return { status: response.statusCode ?? 0, said: await rest(response) }
}

async function rest(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Uint8Array[] = []
  const read = async () => {
    for await (const chunk of stream) chunks.push(chunk as Buffer)
  }
  await within('its end', read())
  return String(Buffer.concat(chunks))
}
