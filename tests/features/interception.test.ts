// The rows about `https://localhost` in a routed tab: the proxy answers the handshake itself, in its own process, and
// what is inside is served like any other request of the tab.
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { ProxyContextInfo, ProxyServer } from 'tabport'
import { ProxyAgent, request } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import WebSocket from 'ws'
import { connectTunnel, curl, http2Request } from '../support/clients.ts'
import { type Alpn, fileOf, http2Over, tlsByConnect } from '../support/https.ts'
import { text } from '../support/origin.ts'
import { basic, startProxy } from '../support/proxy.ts'
import { RawClient } from '../support/raw-client.ts'
import { request as head, tab } from './fixture.ts'
import { insideTunnel, secureTab } from './https.ts'
import { echoed, opened, serveWebSockets } from './websockets.ts'

test('row 10, TLS inside CONNECT (MITM) for loopback: over h2', async () => {
  const { origin, bait, ...to } = await tab(text('of the workspace'))
  const { session, pseudo } = await insideTunnel(to)
  const { status, body } = await http2Request(session, { ...pseudo, ':path': '/x?y' })
  expect([status, String(body)]).toEqual([200, 'of the workspace'])
  expect(origin.seen).toMatchObject([{ url: '/x?y', headers: { host: `127.18.0.1:${origin.port}` } }])
  expect(bait.connections).toBe(0)
})

test.each<[string, Alpn[] | undefined]>([
  ['by ALPN', ['http/1.1']],
  ['without ALPN', []],
])('row 10, TLS inside CONNECT (MITM) for loopback: over HTTP/1.1 %s, one after the other', async (_how, alpn) => {
  const { origin, bait, proxy, context, authority } = await tab()
  const socket = await tlsByConnect(proxy, context, authority, { alpn })
  expect(socket.authorized).toBe(true)
  const client = RawClient.over(socket)
  for (const path of ['/one', '/two']) {
    expect((await client.send(head(`GET ${path}`, authority)).response()).body).toContain(`"${path}"`)
  }
  expect([origin.connections, bait.connections]).toEqual([1, 0])
})

test('row 10, TLS inside CONNECT (MITM) for loopback: what is preferred of what is offered is h2', async () => {
  const { proxy, context, authority } = await tab()
  const chosen = async (alpn: Alpn[], to = proxy, by = context) =>
    (await tlsByConnect(to, by, authority, { alpn })).alpnProtocol
  expect(await chosen(['http/1.1', 'h2'])).toBe('h2')
  const old = await startProxy({ http2: false })
  const context1 = old.createContext(1, { upstream: 'http://127.18.0.1:{port}' })
  expect(await chosen(['h2', 'http/1.1'], old, context1)).toBe('http/1.1')
})

test.each(['http1.1', 'http2'])('row 10, TLS inside CONNECT (MITM) for loopback: curl with --%s', async (version) => {
  const { proxy, context, authority } = await tab(text('of the workspace'))
  const trust = ['--cacert', fileOf(proxy.certificateAuthority().pem)]
  const through = ['-x', `http://127.0.0.1:${proxy.port()}`, '-U', `${context.username}:${context.password}`]
  const ask = (...args: string[]) => curl(...through, `--${version}`, '-w', ' %{http_version} %{http_connect}', ...args)
  expect(await ask(...trust, `https://${authority}/`)).toBe(`of the workspace ${version.slice('http'.length)} 200`)
  await expect(ask(`https://${authority}/`), 'nobody else trusts that authority').rejects.toThrow(/certificate/)
  // The same port in clear, through the same kind of tunnel.
  expect(await ask('--proxytunnel', `http://${authority}/`)).toBe('of the workspace 1.1 200')
})

test.each([true, false])('row 10, TLS inside CONNECT (MITM) for loopback: undici, allowH2 %s', async (allowH2) => {
  const { origin, proxy, context, authority } = await tab(text('of the workspace'))
  const requestTls = { ca: proxy.certificateAuthority().pem }
  const uri = `http://127.0.0.1:${proxy.port()}`
  const dispatcher = new ProxyAgent({ uri, token: basic(context), requestTls, allowH2 })
  onTestFinished(() => dispatcher.destroy())
  const { body } = await request(`https://${authority}/`, { dispatcher })
  expect(await body.text()).toBe('of the workspace')
  expect(origin.seen).toHaveLength(1)
})

test('row 10, TLS inside CONNECT (MITM) for loopback: 10 MiB up and down over h2 do not stall', async () => {
  const { proxy, ...to } = await tab((asked, response) => void asked.pipe(response))
  const { session, pseudo } = await insideTunnel({ proxy, ...to })
  const sent = Buffer.alloc(10 * 1024 * 1024, 'ten mebibytes ')
  const { body } = await http2Request(session, { ...pseudo, ':method': 'POST' }, sent)
  expect(body.equals(sent)).toBe(true)
})

test('row 10, TLS inside CONNECT (MITM) for loopback: cookies that h2 splits are one field again', async () => {
  const { origin, ...to } = await tab()
  const { session, pseudo } = await insideTunnel(to)
  await http2Request(session, { ...pseudo, cookie: ['a=1', 'b=2', 'c=3'] })
  expect(origin.seen).toMatchObject([{ headers: { cookie: 'a=1; b=2; c=3' } }])
  expect(origin.seen[0]?.rawHeaders.filter((name) => /^cookie$/i.test(name))).toHaveLength(1)
})

test.each([3000, 443])('row 11, wss inside MITM: frames come back, for port %s', async (port) => {
  const { origin, proxy, context } = await secureTab()
  serveWebSockets(origin)
  const socket = await secureWebSocket(proxy, context, port)
  await opened(socket)
  expect(socket.protocol).toBe('vite-hmr')
  expect(await echoed(socket, 'text')).toBe('text')
  expect(await echoed(socket, Buffer.of(0, 255))).toEqual(Buffer.of(0, 255))
  // The page says `wss://localhost` where the port is the scheme's own: it is 443 that the route is asked for.
  expect(origin.seen).toMatchObject([{ method: 'GET', url: '/live', servername: `${port}-ws.preview.test` }])
})

async function secureWebSocket(proxy: ProxyServer, context: ProxyContextInfo, port: number): Promise<WebSocket> {
  const tunnel = await tlsByConnect(proxy, context, `localhost:${port}`)
  const url = port === 443 ? 'wss://localhost/live' : `wss://localhost:${port}/live`
  const socket = new WebSocket(url, ['vite-hmr'], { createConnection: () => tunnel })
  socket.on('error', () => {})
  onTestFinished(() => socket.terminate())
  return socket
}

const NAMED: [target: string, host: string][] = [
  ['/', 'localhost'],
  ['/', 'localhost:443'],
  ['https://localhost/', 'localhost'],
  ['https://localhost:443/', 'localhost'],
]

test.each(NAMED)(
  'row 40, default ports / scheme kept inside MITM h1: GET %s of %s is for 443',
  async (target, host) => {
    const { origin, proxy, context } = await secureTab()
    const client = RawClient.over(await tlsByConnect(proxy, context, 'localhost:443'))
    expect((await client.send(head(`GET ${target}`, host)).head()).status).toBe(200)
    expect(origin.seen).toMatchObject([{ url: '/', servername: '443-ws.preview.test' }])
  },
)

test('row 40, default ports / scheme kept inside MITM h1: a gateway is told port 443, and h2 does the same', async () => {
  const { origin, proxy } = await tab()
  const context = proxy.createContext(2, { cmuxProxyOrigin: `http://127.18.0.1:${origin.port}` })
  const client = RawClient.over(await tlsByConnect(proxy, context, 'localhost:443'))
  expect((await client.send(head('GET /', 'localhost')).head()).status).toBe(200)
  const { session, pseudo } = await insideTunnel({ proxy, context, authority: 'localhost:443' })
  expect((await http2Request(session, { ...pseudo, ':authority': 'localhost' })).status).toBe(200)
  const told = { 'x-cmux-port-internal': '443' }
  expect(origin.seen).toMatchObject([{ headers: told }, { headers: told }])
})

test('row 40, default ports / scheme kept inside MITM h1: another port is another authority, a 421', async () => {
  const { origin, proxy, context } = await secureTab()
  const client = RawClient.over(await tlsByConnect(proxy, context, 'localhost:3000'))
  expect((await client.send(head('GET https://localhost/', 'localhost')).head()).status).toBe(421)
  expect(origin.connections).toBe(0)
})

test.runIf(process.platform === 'linux')(
  'row 50, in-process TLS (no ephemeral port): nothing but the proxy listens while it answers',
  async () => {
    const { proxy, context, authority } = await tab()
    const before = listeningPorts()
    expect(before).toContain(proxy.port())
    const shaking = await connectTunnel(proxy, context, authority)
    shaking.socket.write(Uint8Array.of(0x16, 3, 1))
    const client = RawClient.over(await tlsByConnect(proxy, context, authority))
    const session = await http2Over(await tlsByConnect(proxy, context, authority, { alpn: ['h2'] }))
    const stream = session.request({ ':authority': authority, ':path': '/' })
    await once(stream, 'response')
    expect((await client.send(head('GET /', authority)).head()).status).toBe(200)
    expect(proxy.stats().connections).toBe(3)
    expect(listeningPorts()).toEqual(before)
  },
)

/** The TCP ports that this process listens on, the proxy's among them. */
function listeningPorts(): number[] {
  const own = new Set(readdirSync('/proc/self/fd').map(socketOf))
  const LISTENING = '0A'
  const lines = ['tcp', 'tcp6'].flatMap((file) => readFileSync(`/proc/self/net/${file}`, 'utf8').split('\n').slice(1))
  const sockets = lines.map((line) => line.trim().split(/\s+/))
  return sockets
    .filter(({ 3: state, 9: inode }) => state === LISTENING && own.has(`socket:[${inode}]`))
    .map(({ 1: local = '' }) => Number.parseInt(local.slice(-4), 16))
    .sort()
}

/** The descriptor that lists the others is gone by the time it is looked at. */
function socketOf(descriptor: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    return undefined
  }
}
