// The rows about what a stream of HTTP/2 can be besides a request and its answer: a WebSocket, a tunnel, a call of gRPC.
// Each of them in clear, inside TLS inside a tunnel, and over the secure listener.
import { once } from 'node:events'
import type { ClientHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { startRawOrigin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { basic, startProxy } from '../support/proxy.ts'
import { SWITCHED, tab } from './fixture.ts'
import { type Asker, byPriorKnowledge, overSecureListener, secureTab, WAYS_OF_HTTP2 } from './https.ts'
import { masked, serveWebSockets, unmasked } from './websockets.ts'

/** Asks for a WebSocket (RFC 8441, section 5). */
function openWebSocket({ session, pseudo }: Asker, fields = {}): ClientHttp2Stream {
  const asked = { ...pseudo, ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/live?x', ...fields }
  const stream = session.request({ ...asked, 'sec-websocket-version': '13' }, { endStream: false })
  return stream.on('error', () => {})
}

test.each(WAYS_OF_HTTP2)('row 51, RFC 8441 extended CONNECT: %s, frames come back', async (_way, options, ask) => {
  const { origin, bait, ...to } = await tab(undefined, options)
  serveWebSockets(origin)
  const asker = await ask(to)
  expect(asker.session.remoteSettings.enableConnectProtocol).toBe(true)
  const stream = openWebSocket(asker, { 'sec-websocket-protocol': 'other, vite-hmr', cookie: ['a=1', 'b=2'] })
  const [head] = await within('the answer', once(stream, 'response'))
  expect(head).toMatchObject({ ':status': 200, 'sec-websocket-protocol': 'vite-hmr' })
  // Those are of HTTP/1.1 alone.
  for (const name of ['upgrade', 'connection', 'sec-websocket-accept']) expect(head).not.toHaveProperty(name)
  stream.write(masked('there and back'))
  expect((await within('the echo', once(stream, 'data')))[0]).toEqual(unmasked('there and back'))
  const asked = { upgrade: 'websocket', 'sec-websocket-version': '13', cookie: 'a=1; b=2' }
  expect(origin.seen).toMatchObject([{ method: 'GET', url: '/live?x', headers: asked }])
  expect(origin.seen[0]?.headers).not.toHaveProperty('proxy-authorization')
  expect([bait.connections, to.proxy.stats().tunnels]).toEqual([0, 1])
  stream.close()
  await until('it is counted out', () => to.proxy.stats().tunnels === 0)
})

const WRONG: [what: string, answer: string][] = [
  ['another key', SWITCHED.replace(/Accept: .*/, `Accept: ${Buffer.alloc(20).toString('base64')}\r\n`)],
  ['no key', SWITCHED.replace(/Sec-WebSocket-Accept: .*\r\n/, '')],
  ['another protocol', SWITCHED.replace('websocket', 'raw')],
  ['no switching', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n'],
]

test.each(WRONG)(
  'row 51, RFC 8441 extended CONNECT: an upstream that answers with %s is a 502',
  async (_what, said) => {
    const { origin, ...to } = await tab()
    origin.server.on('upgrade', (_request, stream: Socket) => stream.write(`${said}\r\n`))
    const stream = openWebSocket(await byPriorKnowledge(to))
    const [head] = await within('the answer', once(stream, 'response'))
    expect(head).toMatchObject({ ':status': 502, 'proxy-status': 'tabport; error=http_protocol_error' })
    await until('the upstream is let go', () => to.proxy.stats().upstreamConnections === 0)
  },
)

test('row 51, RFC 8441 extended CONNECT: a refusal is relayed, and the session goes on', async () => {
  const { origin, ...to } = await tab()
  origin.server.on('upgrade', (_request, stream: Socket) => {
    stream.end('HTTP/1.1 403 Forbidden\r\nX-Why: no cookie\r\nContent-Length: 12\r\n\r\nlog in first')
  })
  const asker = await byPriorKnowledge(to)
  const refused = openWebSocket(asker)
  const [head] = await within('the answer', once(refused, 'response'))
  expect([head[':status'], head['x-why'], String(Buffer.concat(await refused.toArray()))]).toEqual([
    ...[403, 'no cookie', 'log in first'],
  ])
  const unknown = openWebSocket(asker, { ':protocol': 'connect-udp' })
  expect((await within('the answer', once(unknown, 'response')))[0]).toMatchObject({ ':status': 501 })
  expect(origin.seen).toHaveLength(1)
})

/** Opens a tunnel; `credentials` is all that says whose it is. */
async function openTunnel({ session }: Pick<Asker, 'session'>, authority: string, credentials: object = {}) {
  const pseudo = { ':method': 'CONNECT', ':authority': authority }
  const stream = session.request({ ...pseudo, ...credentials }, { endStream: false })
  const [{ ':status': status }] = await within('the answer', once(stream, 'response'), 15_000)
  return { stream, status }
}

test('row 52, h2 CONNECT: over the secure listener every stream needs its own credentials', async () => {
  const echo = await startRawOrigin((socket) => socket.pipe(socket))
  const { proxy, context, authority } = await tab(undefined, { secure: true })
  const other = proxy.createContext(2)
  const asker = await overSecureListener({ proxy, context, authority })
  const to = `127.0.0.1:${echo.port}`
  expect((await openTunnel(asker, to)).status).toBe(407)
  expect((await openTunnel(asker, to, { 'proxy-authorization': 'Basic bm9ib2R5Om5vdGhpbmc=' })).status).toBe(407)
  expect(echo.connections).toBe(0)
  const { stream, status } = await openTunnel(asker, to, { 'proxy-authorization': basic(other) })
  expect(status).toBe(200)
  stream.end('there and back')
  expect(String(Buffer.concat(await within('the echo', stream.toArray())))).toBe('there and back')
})

const AT_ONCE = 1_000

test.each([
  ['h2c', {}, byPriorKnowledge],
  ['over the secure listener', { secure: true }, overSecureListener],
] as const)('row 52, h2 CONNECT: %s, a thousand tunnels on one connection', async (_way, options, ask) => {
  const echo = await startRawOrigin((socket) => socket.pipe(socket))
  const proxy = await startProxy(options)
  const context = proxy.createContext(1)
  const authority = `127.0.0.1:${echo.port}`
  const asker = await ask({ proxy, context, authority })
  asker.session.setMaxListeners(0)
  const credentials = { 'proxy-authorization': basic(context) }
  const all = Array.from({ length: AT_ONCE }, () => openTunnel(asker, authority, credentials))
  const tunnels = await Promise.all(all)
  await until('all are open', () => echo.sockets.size === AT_ONCE)
  expect([proxy.stats().tunnels, proxy.stats().total.connections]).toEqual([AT_ONCE, 1])
  const echoes = await Promise.all(
    tunnels.map(async ({ stream }, number) => {
      stream.end(`tunnel ${number}`)
      return String(Buffer.concat(await stream.toArray()))
    }),
  )
  expect(echoes).toEqual(tunnels.map((_, number) => `tunnel ${number}`))
  await until('all are counted out', () => proxy.stats().tunnels === 0)
})

/** A message as gRPC sends it: whether it is compressed, its length, itself. */
function message(said: string): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(said.length, 1)
  return Buffer.concat([prefix, Buffer.from(said)])
}

function messages(bytes: Buffer): string[] {
  if (bytes.length === 0) return []
  const end = 5 + bytes.readUInt32BE(1)
  return [String(bytes.subarray(5, end)), ...messages(bytes.subarray(end))]
}

/** Greets once, or three times where a stream of greetings is called for, and says in trailers how it went. */
async function greeter(options: object) {
  return secureTab(
    async (asked, response) => {
      const [name] = messages(Buffer.concat(await asked.toArray()))
      response.writeHead(200, { 'content-type': 'application/grpc+proto' })
      response.addTrailers({ 'grpc-status': '0', 'grpc-message': `for ${asked.headers['grpc-timeout']}` })
      const greetings = asked.url === '/test.Greeter/Greet' ? [name] : [`${name} 1`, `${name} 2`, `${name} 3`]
      for (const greeting of greetings) response.write(message(`hello ${greeting}`))
      response.end()
    },
    ['h2'],
    options,
  )
}

const CALLS: [method: string, greetings: string[]][] = [
  ['Greet', ['hello Ada']],
  ['GreetAll', ['hello Ada 1', 'hello Ada 2', 'hello Ada 3']],
]

test.each(WAYS_OF_HTTP2)('row 37, trailers, gRPC: calls %s', async (_way, options, ask) => {
  const { origin, ...to } = await greeter(options)
  const { session, pseudo } = await ask(to)
  for (const [method, greetings] of CALLS) {
    const fields = { 'content-type': 'application/grpc+proto', te: 'trailers', 'grpc-timeout': '5S' }
    const asked = { ...pseudo, ':method': 'POST', ':path': `/test.Greeter/${method}`, ...fields }
    const stream = session.request(asked, { endStream: false })
    const trailers = once(stream, 'trailers')
    const head = once(stream, 'response')
    stream.end(message('Ada'))
    expect((await within('the head', head))[0]).toMatchObject({ 'content-type': 'application/grpc+proto' })
    expect(messages(Buffer.concat(await within('the messages', stream.toArray())))).toEqual(greetings)
    const [told] = await within('the trailers', trailers)
    expect(told).toMatchObject({ 'grpc-status': '0', 'grpc-message': 'for 5S' })
  }
  const each = { version: '2.0', headers: { te: 'trailers' }, alpn: 'h2' }
  expect(origin.seen).toMatchObject([each, each])
})
