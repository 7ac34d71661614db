// The rows about the connections to upstreams: whom the proxy trusts, what it speaks, and what it says when there
// is nobody to speak to.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import net from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { http2Request, http2Session, webSocketByConnect } from '../support/clients.ts'
import { type Answer, echo, startOrigin, startRawOrigin, startTlsOrigin, text } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { basic, previewTo, startProxy } from '../support/proxy.ts'
import { RawClient } from '../support/raw-client.ts'
import { type Asking, connectTo, FORMS, inAbsoluteForm, insideConnect, tab, WEBSOCKET } from './fixture.ts'

const ROUTE = { upstream: 'https://{port}-ws.preview.test' }
const AUTHORITY = 'localhost:3000'

test.each(FORMS)('row 5, upstream TLS with real roots + extra CA option: %s', async (_form, ask) => {
  const origin = await startTlsOrigin(text('over TLS'))
  const { connectTo, extraCa } = previewTo(origin.port, '3000-ws')
  const elsewhere = { '3000-ws.elsewhere.test:443': `127.0.0.1:${origin.port}` }
  const outcome = async (options: object, upstream = ROUTE.upstream) => {
    const proxy = await startProxy(options)
    const client = await ask({ proxy, context: proxy.createContext(1, { upstream }), authority: AUTHORITY })
    const { status, all } = await client.head()
    return [status, ...all('Proxy-Status')]
  }
  const refused = [502, 'tabport; error=tls_certificate_error']
  expect(await outcome({ connectTo })).toEqual(refused)
  expect(await outcome({ connectTo: elsewhere, extraCa }, 'https://{port}-ws.elsewhere.test')).toEqual(refused)
  expect(origin.seen).toEqual([])
  expect(await outcome({ connectTo, extraCa })).toEqual([200])
})

/** A tab that leads to an upstream with TLS, asked over one HTTP/2 session. */
async function overTls(protocols: ('h2' | 'http/1.1')[], answer: Answer = echo) {
  const origin = await startTlsOrigin(answer, protocols)
  const proxy = await startProxy(previewTo(origin.port, '3000-ws'))
  const credentials = basic(proxy.createContext(1, ROUTE))
  const session = http2Session(proxy)
  session.setMaxListeners(0)
  const ask = (path: string) => {
    const pseudo = { ':method': 'GET', ':scheme': 'http', ':authority': AUTHORITY, ':path': path }
    return http2Request(session, { ...pseudo, 'proxy-authorization': credentials })
  }
  return { origin, ask }
}

test('row 21, upstream h2 with h1 fallback: an origin that can multiplexes on one connection', async () => {
  const waiting: (() => void)[] = []
  const { origin, ask } = await overTls(['h2', 'http/1.1'], (asked, response) => {
    waiting.push(() => echo(asked, response))
  })
  const paths = Array.from({ length: 20 }, (_, index) => `/${index}`)
  const answers = Promise.all(paths.map(ask))
  await until('all of them at once', () => waiting.length === paths.length)
  for (const answer of waiting) answer()
  expect((await answers).map(({ body }) => JSON.parse(String(body)).url)).toEqual(paths)
  expect([origin.connections, new Set(origin.seen.map(({ version }) => version))]).toEqual([1, new Set(['2.0'])])
})

test('row 21, upstream h2 with h1 fallback: an origin that cannot is not asked again', async () => {
  const { origin, ask } = await overTls(['http/1.1'])
  for (const path of ['/1', '/2', '/3']) expect((await ask(path)).status).toBe(200)
  expect([origin.connections, origin.seen.map(({ version }) => version)]).toEqual([1, ['1.1', '1.1', '1.1']])
})

/** An upstream at which dialling fails, and the error token of RFC 9209 for it. */
const FAILURES: [what: string, token: string, dial: () => Promise<{ upstream: string; authority: string }>][] = [
  ['refused', 'connection_refused', async () => named(`127.0.0.1:${await closedPort()}`)],
  ['no such name', 'dns_error', async () => named('nowhere.invalid:3000')],
  [
    'no TLS',
    'tls_protocol_error',
    async () => {
      const { port } = await startRawOrigin((socket) => socket.end('this is not TLS'))
      return { upstream: `https://127.0.0.1:${port}`, authority: '' }
    },
  ],
]
const named = (authority: string) => ({ upstream: `http://${authority}`, authority })
const FIELDS = { GET: '', WebSocket: WEBSOCKET }

test.each(FAILURES)('row 23, 502 on dial failure, every path: %s', async (_what, token, dial) => {
  const { upstream, authority } = await dial()
  const proxy = await startProxy()
  const routed = { proxy, context: proxy.createContext(1, { upstream }), authority: AUTHORITY }
  const outcome = async (client: RawClient) => {
    const { status, all } = await client.head()
    return `${status} ${all('Proxy-Status')}`
  }
  const paths: [string, Promise<RawClient>][] = Object.entries(FIELDS).flatMap(([what, fields]) => [
    [what, inAbsoluteForm(routed, { fields })],
    [`${what} inside CONNECT`, insideConnect(routed, { fields })],
  ])
  if (authority) {
    const plain = { context: proxy.createContext(2), authority }
    const client = await RawClient.connect(proxy.port())
    paths.push(['CONNECT, before a 200', Promise.resolve(client.send(connectTo(plain)))])
  }
  for (const [path, client] of paths) {
    expect.soft(await outcome(await client), path).toBe(`502 tabport; error=${token}`)
  }
  const pseudo = { ':method': 'GET', ':scheme': 'http', ':authority': AUTHORITY, ':path': '/' }
  const credentials = { 'proxy-authorization': basic(routed.context) }
  expect((await http2Request(http2Session(proxy), { ...pseudo, ...credentials })).status).toBe(502)
})

async function closedPort(): Promise<number> {
  const origin = await startRawOrigin(() => {})
  await origin.close()
  return origin.port
}

const LIMIT_MS = 150

/** An address that takes no further connection: whoever listens there is stopped, and its queue is full. */
async function hangingPort(): Promise<number> {
  const listen = `require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () {
    process.stdout.write(String(this.address().port), () => process.kill(process.pid, 'SIGSTOP'))
  })`
  const child = spawn(process.execPath, ['-e', listen])
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const port = Number(await within('a port', once(child.stdout, 'data')))
  const opens = async () => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    onTestFinished(() => void socket.destroy())
    return within('a connection', once(socket, 'connect'), 2 * LIMIT_MS).then(
      () => true,
      () => false,
    )
  }
  // Twice: once may be this process that was late.
  await until('its queue is full', async () => !(await opens()) && !(await opens()))
  return port
}

const SLOW: [what: string, limit: string, token: string, route: () => Promise<string>][] = [
  ['connecting', 'connect', 'connection_timeout', async () => `http://127.0.0.1:${await hangingPort()}`],
  ['the handshake', 'tlsHandshake', 'connection_timeout', async () => `https://127.0.0.1:${await silentPort()}`],
  ['the answer', 'responseHead', 'http_response_timeout', async () => `http://127.0.0.1:${await silentPort()}`],
]
const silentPort = async () => (await startRawOrigin(() => {})).port

test.each(SLOW)('row 24, timeouts: connect, header, classify, handshake, idle: %s is a 504', async (...row) => {
  const [, limit, token, route] = row
  const upstream = await route()
  const proxy = await startProxy({ timeouts: { [limit]: LIMIT_MS } })
  const to: Asking = { proxy, context: proxy.createContext(1, { upstream }), authority: AUTHORITY }
  for (const [what, fields] of Object.entries(FIELDS)) {
    const { status, all } = await (await inAbsoluteForm(to, { fields })).head()
    expect.soft([status, ...all('Proxy-Status')], what).toEqual([504, `tabport; error=${token}`])
  }
  await until('the upstream is let go', () => proxy.stats().upstreamConnections === 0)
})

test('row 24, timeouts: connect, header, classify, handshake, idle: a silent client is closed, a WebSocket is not', async () => {
  const timeouts = { connect: LIMIT_MS, requestHead: LIMIT_MS, responseHead: LIMIT_MS, halfClose: LIMIT_MS }
  const { origin, ...to } = await tab(undefined, { timeouts })
  origin.server.on('upgrade', (_asked, stream) => {
    stream.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n')
    stream.pipe(stream)
  })
  const idle = await insideConnect(to, { fields: 'Connection: upgrade\r\nUpgrade: raw\r\n' })
  expect((await idle.head()).status).toBe(101)
  const silent = {
    'that says nothing': '',
    'in the middle of a head': 'GET http://localhost/ HTTP/1.1\r\nHost: loc',
    'in the middle of the preface': 'PRI * HTTP/2.0\r\n',
    'that is silent in a tunnel that will be looked into': connectTo(to),
  }
  for (const [what, said] of Object.entries(silent)) {
    const client = await RawClient.connect(to.proxy.port())
    await client.send(said).rest()
    expect(client.ended, what).toBe(true)
  }
  expect(await idle.send('still here').bytes(10)).toBe('still here')
})

test('row 61, TCP_NODELAY, keep-alive, pool caps: on accepted and dialled sockets', async () => {
  const { origin, proxy, ...to } = await tab()
  const keptOpen = await inAbsoluteForm({ proxy, ...to })
  await keptOpen.response()
  await webSocketByConnect(proxy, to.context, to.authority)
  const plain = net.connect({ port: origin.port, host: '127.18.0.1', noDelay: false })
  await once(plain, 'connect')
  onTestFinished(() => void plain.destroy())
  const noDelay = (which: (one: OpenSocket) => boolean) =>
    openSockets()
      .filter(which)
      .map((one) => one.noDelay)
  expect(noDelay(({ local }) => local === proxy.port())).toEqual([true, true])
  const dialled = ({ local, peer }: OpenSocket) => peer === origin.port && local !== plain.localPort
  expect(noDelay(dialled)).toEqual([true, true])
  // What it looks like without: otherwise the lines above would prove nothing.
  expect(noDelay(({ local }) => local === plain.localPort)).toEqual([false])
})

interface OpenSocket {
  local: number
  peer: number
  noDelay: boolean
}

const INSPECT = `
import json, socket, sys
for descriptor in range(3, int(sys.argv[1])):
    one = socket.socket(fileno=descriptor)
    if one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM:
        try: peer = one.getpeername()[1]
        except OSError: continue
        no_delay = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        print(json.dumps({'local': one.getsockname()[1], 'peer': peer, 'noDelay': bool(no_delay)}))
`

/** The TCP connections of this process, the proxy's among them, as another program sees them that is given them. */
function openSockets(): OpenSocket[] {
  const isSocket = (descriptor: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith('socket:')
    } catch {
      return false
    }
  }
  const descriptors = readdirSync('/proc/self/fd').filter(isSocket).map(Number)
  const stdio = ['ignore', 'pipe', 'inherit', ...descriptors] as const
  const { stdout } = spawnSync('python3', ['-c', INSPECT, String(stdio.length)], {
    stdio: [...stdio],
    encoding: 'utf8',
  })
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

const [AT_ONCE, KEPT] = [300, 256]

test('row 61, TCP_NODELAY, keep-alive, pool caps: connections are kept for the next request, not all of many', async () => {
  const waiting: (() => void)[] = []
  const origin = await startOrigin((asked, response) => {
    if (asked.url === '/') waiting.push(() => response.end())
    else response.end()
  })
  const proxy = await startProxy()
  const credentials = { 'proxy-authorization': basic(proxy.createContext(1)) }
  const pseudo = { ':method': 'GET', ':scheme': 'http', ':authority': `127.0.0.1:${origin.port}` }
  // One connection of the client's: one thread of the proxy's, each of which keeps so many.
  const session = http2Session(proxy)
  session.setMaxListeners(0)
  const ask = (path: string) => http2Request(session, { ...pseudo, ...credentials, ':path': path })
  const answers = Promise.all(Array.from({ length: AT_ONCE }, () => ask('/')))
  await until('all at once', () => waiting.length === AT_ONCE)
  for (const answer of waiting) answer()
  await answers
  await until('some are closed', () => proxy.stats().requests === 0 && origin.sockets.size === KEPT, 2_000)
  for (const path of ['/1', '/2', '/3']) expect((await ask(path)).status).toBe(200)
  expect(origin.connections).toBe(AT_ONCE)
})
