// What users of other proxies complain about, each under the name of where they do. Those that need an Electron or
// a browser are beside this file; what takes ten thousand clients to show is in `tests/faults` too.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { connectTunnel, http2Request, http2Session } from '../support/clients.ts'
import { many } from '../support/many.ts'
import { startOrigin, startRawOrigin, startTlsOrigin, text } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { basic, previewTo, startProxy } from '../support/proxy.ts'
import { ProxyProcess } from '../support/proxy-process.ts'
import { RawClient } from '../support/raw-client.ts'
import { startRelay } from '../support/relay.ts'
import { type Asking, connectTo, inAbsoluteForm, openTunnel, request, tab, WEBSOCKET } from './fixture.ts'
import { CLIENTS, echoed, opened, serveWebSockets } from './websockets.ts'

const AT_ONCE = 32

/** Sends a request and breaks the connection off at the first byte of the answer. */
function breakOff(port: number, said: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    socket.once('data', () => socket.resetAndDestroy()).on('error', () => {})
    socket.once('close', () => resolve())
    socket.write(said)
  })
}

test('complaint apify/proxy-chain#53: a reset right behind a 407, ten thousand times', async () => {
  const { proxy, ...rest } = await tab()
  const said = ['GET http://localhost:1/', 'CONNECT localhost:1'].map((line) => request(line, 'localhost:1'))
  await many(10_000, AT_ONCE, (number) => breakOff(proxy.port(), said[number % 2] as string))
  await until('all are counted out', () => proxy.stats().connections === 0)
  expect(proxy.stats().total).toMatchObject({ connections: 10_000, requests: 0 })
  expect((await (await inAbsoluteForm({ proxy, ...rest })).head()).status).toBe(200)
})

test('complaint apify/proxy-chain#160, #45: tunnels that ended are forgotten, with their descriptors', async () => {
  const origin = await startRawOrigin((socket) => socket.on('end', () => socket.end()).resume())
  const proxy = await ProxyProcess.start()
  const descriptors = proxy.descriptors()
  const to = { context: await proxy.createContext(1), authority: `127.0.0.1:${origin.port}` }
  await many(2_000, AT_ONCE, () => breakOff(proxy.port(), connectTo(to)))
  await proxy.returnsTo(descriptors)
  const { connections, tunnels, total } = await proxy.stats()
  expect([connections, tunnels, total.tunnels]).toEqual([0, 0, 2_000])
})

test('complaint apify/proxy-chain#530: the first request after an upstream has been down is served', async () => {
  const { origin, ...to } = await tab(text('up'))
  const ask = async () => (await (await inAbsoluteForm(to)).head()).status
  expect(await ask()).toBe(200)
  await origin.close()
  for (let time = 0; time < 20; time += 1) expect(await ask()).toBe(502)
  await startOrigin(text('up again'), { host: '127.18.0.1', port: origin.port })
  expect(await ask()).toBe(200)
})

test('complaint apify/proxy-chain#530: so is one whose kept connection the upstream has hung up', async () => {
  const { origin, ...to } = await tab(text('up'))
  for (let time = 0; time < 20; time += 1) {
    expect((await (await inAbsoluteForm(to)).head()).status).toBe(200)
    origin.kill()
  }
})

test('complaint apify/proxy-chain#628: a tunnel never carries another request, nor goes back to a pool', async () => {
  const said: string[] = []
  const origin = await startRawOrigin((socket) => {
    socket.on('data', (bytes) => said.push(String(bytes))).on('end', () => socket.end())
  })
  const proxy = await startProxy()
  const to = { proxy, context: proxy.createContext(1), authority: `127.0.0.1:${origin.port}` }
  const tunnel = await openTunnel(to)
  const again = connectTo({ ...to, authority: 'elsewhere.test:443' })
  tunnel.send(again)
  await until('the second CONNECT is only bytes', () => said.join('') === again)
  tunnel.socket.end()
  await tunnel.rest()
  void inAbsoluteForm(to)
  await until('the next request', () => said.join('').includes('GET / HTTP/1.1'))
  expect([origin.connections, proxy.stats().upstreamConnections]).toEqual([2, 1])
})

test('complaint vercel-labs/portless PR#127: resets of TLS connections, as a reload makes them, hurt nobody', async () => {
  const origin = await startTlsOrigin()
  const proxy = await startProxy(previewTo(origin.port, '3000-ws'))
  const context = proxy.createContext(1, { upstream: 'https://{port}-ws.preview.test' })
  const to: Asking = { proxy, context, authority: 'localhost:3000' }
  const hello = Buffer.concat([Buffer.from(connectTo(to)), Buffer.of(0x16, 3, 1, 0, 200, 1)])
  await many(500, AT_ONCE, () => breakOff(proxy.port(), hello))
  await many(50, AT_ONCE, async () => {
    const client = await inAbsoluteForm(to)
    await client.head()
    client.socket.resetAndDestroy()
  })
  origin.kill()
  expect((await (await inAbsoluteForm(to)).head()).status).toBe(200)
})

test.each(['127.0.0.1', '::1'])(
  'complaint vercel-labs/portless 0.15.2 (#353): localhost of a tab without a route is found on %s alone',
  async (host) => {
    const origin = await startOrigin(text('found'), { host })
    const proxy = await startProxy()
    const to = { proxy, context: proxy.createContext(1), authority: `localhost:${origin.port}` }
    expect(await (await inAbsoluteForm(to)).response()).toMatchObject({ status: 200, body: 'found' })
    expect(await (await openTunnel(to)).send(request('GET /', to.authority)).response()).toMatchObject({
      body: 'found',
    })
    await inAbsoluteForm(to, { fields: WEBSOCKET })
    await until('all three', () => origin.seen.length === 3)
    expect(origin.seen.map(({ headers }) => headers.host)).toEqual(Array(3).fill(to.authority))
  },
)

test('complaint vercel-labs/portless 0.15.4 (#361): only loopback is listened on', async () => {
  const proxy = await startProxy()
  await expect(RawClient.connect(proxy.port(), '127.0.0.2')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('complaint vercel-labs/portless 0.15.0 (#328): :authority is the Host that the origin sees', async () => {
  const origin = await startOrigin()
  const proxy = await startProxy()
  const authority = `localhost:${origin.port}`
  const pseudo = { ':method': 'GET', ':scheme': 'http', ':authority': authority, ':path': '/' }
  const credentials = { 'proxy-authorization': basic(proxy.createContext(1)) }
  await http2Request(http2Session(proxy), { ...pseudo, ...credentials, host: 'elsewhere.test' })
  await http2Request(http2Session(proxy), { ...pseudo, ...credentials })
  expect(origin.seen.map(({ headers }) => headers.host)).toEqual([authority, authority])
  const hosts = origin.seen[0]?.rawHeaders.filter((name) => name.toLowerCase() === 'host')
  expect(hosts).toHaveLength(1)
})

test('complaint httptoolkit/mockttp#204, #154: cookies are joined for HTTP/1.1, pseudo-fields stay behind', async () => {
  const { origin, proxy, context, authority } = await tab()
  const pseudo = { ':method': 'GET', ':scheme': 'http', ':authority': authority, ':path': '/' }
  const cookie = ['a=1', 'b=2', 'c=3'] as never
  await http2Request(http2Session(proxy), { ...pseudo, 'proxy-authorization': basic(context), cookie })
  const names = origin.seen[0]?.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
  expect(origin.seen).toMatchObject([{ version: '1.1', headers: { cookie: 'a=1; b=2; c=3' } }])
  expect(names?.sort()).toEqual(['cookie', 'host'])
})

test.each(CLIENTS)(
  'complaint http-party/node-http-proxy#1468, #1586: a WebSocket %s to a bad path, and clients that leave early',
  async (_form, open) => {
    const { origin, proxy, context, authority } = await tab()
    const server = serveWebSockets(origin)
    server.options.path = '/good'
    origin.server.prependListener('upgrade', ({ url }, stream: Socket) => {
      if (url !== '/good') stream.resetAndDestroy()
    })
    const refused = await open(proxy, context, authority, { path: '/bad' })
    await within(
      'the refusal',
      once(refused, 'close').catch(() => {}),
    )
    await many(200, AT_ONCE, () => breakOff(proxy.port(), connectTo({ context, authority })))
    for (let time = 0; time < 50; time += 1) {
      const early = await inAbsoluteForm({ proxy, context, authority }, { path: '/good', fields: WEBSOCKET })
      early.socket.resetAndDestroy()
    }
    const { connections, tunnels, requests } = await untilQuiet()
    expect([connections, tunnels, requests, server.clients.size]).toEqual([0, 0, 0, 0])
    const good = await open(proxy, context, authority, { path: '/good' })
    await opened(good)
    expect(await echoed(good, 'alive')).toBe('alive')

    async function untilQuiet() {
      const quiet = () => proxy.stats().connections + proxy.stats().tunnels + server.clients.size === 0
      await until('nothing is left of them', quiet)
      return proxy.stats()
    }
  },
)

const LATE = 'later than the limit'

test('complaint tokio-rs/tokio#4556, linkerd2#5180, rathole PR#460: what follows a half-close arrives, silence ends it', async () => {
  const origin = await startRawOrigin((socket) => {
    socket.on('end', () => socket.write(LATE)).resume()
  })
  const slow = await startRelay(origin, { down: { pieces: 1, delayMs: 50 } })
  const proxy = await startProxy({ timeouts: { halfClose: 500 } })
  const { socket } = await connectTunnel(proxy, proxy.createContext(1), `127.0.0.1:${slow.port}`)
  const received: Buffer[] = []
  socket.on('data', (bytes) => received.push(bytes)).end()
  await until('what the origin still had to say, slower than the limit', () => String(Buffer.concat(received)) === LATE)
  // From here on the origin says nothing, and does not end.
  await until('the tunnel is closed', () => proxy.stats().tunnels === 0)
  await until('the client sees it', () => socket.closed)
})

test('complaint napi-rs/napi-rs#3472, #1802: what a callback throws is an exception, not the end of the process', async () => {
  const program = fileURLToPath(new URL('../support/programs/listener-throws.cjs', import.meta.url))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program])
  expect([stdout, stderr]).toEqual(['uncaught: from the listener\nstill served: 407\n', ''])
})
