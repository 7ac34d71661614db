// The rows about what ends with what: a client that goes away, a context that is released, a proxy that stops.
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { connectTunnel } from '../support/clients.ts'
import { startRawOrigin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { startProxy } from '../support/proxy.ts'
import { insideTls, insideTlsHttp2 } from '../support/tls-ways.ts'
import {
  absoluteForm,
  connect,
  connectOverHttp2,
  connectRouted,
  type Exchange,
  http10,
  overHttp2,
  type Towards,
  type Way,
} from '../support/ways.ts'
import { inAbsoluteForm, tab } from './fixture.ts'
import { CLIENTS, echoed, opened, serveWebSockets } from './websockets.ts'

const SECOND = 1_000
const WAYS: [string, Way][] = [
  ['in absolute form', absoluteForm],
  ['in HTTP/1.0', http10],
  ['inside CONNECT, relayed', connect],
  ['inside CONNECT, looked into', connectRouted],
  ['over HTTP/2', overHttp2],
  ['inside CONNECT over HTTP/2', connectOverHttp2],
  ['inside TLS inside CONNECT', insideTls],
  ['inside TLS inside CONNECT, over HTTP/2', insideTlsHttp2],
]
const NOTHING = { contexts: 0, connections: 0, requests: 0, tunnels: 0, upstreamConnections: 0 }

/** A server whose answers begin and do not end. */
async function endless() {
  const origin = await startRawOrigin((socket) => {
    socket.on('end', () => socket.end())
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n'))
  })
  const proxy = await startProxy()
  const plain = proxy.createContext(1)
  const routed = proxy.createContext(2, { upstream: 'http://127.0.0.1:{port}' })
  const to: Towards = { proxy, plain, routed, port: origin.port, ca: proxy.certificateAuthority().pem }
  return { origin, proxy, to }
}

async function begun(way: Way, to: Towards): Promise<Exchange & { ended: () => boolean }> {
  const exchange = await way(to, {})
  let ended = false
  for (const event of ['end', 'error', 'close']) exchange.duplex.on(event, () => (ended = true))
  await within('the first bytes', once(exchange.duplex, 'data'))
  return { ...exchange, ended: () => ended }
}

test.each(WAYS)('row 35, client abort cancels upstream: %s, within a second', async (_way, way) => {
  const { origin, proxy, to } = await endless()
  const { breakOff } = await begun(way, to)
  expect(origin.sockets.size).toBe(1)
  breakOff()
  await until('the upstream sees it', () => origin.sockets.size === 0, SECOND)
  await until('it is counted out', () => proxy.stats().requests + proxy.stats().tunnels === 0)
})

test.each(WAYS)(
  'row 13, release revokes live tunnels: %s, within a second, and no other is touched',
  async (...row) => {
    const [, way] = row
    const { origin, proxy, to } = await endless()
    const mine = await begun(way, to)
    const [plain, routed] = [proxy.createContext(3), proxy.createContext(4, { upstream: 'http://127.0.0.1:{port}' })]
    const others = await begun(way, { ...to, plain, routed, session: undefined, inside: undefined })
    expect(origin.sockets.size).toBe(2)
    for (const { id } of [to.plain, to.routed]) proxy.releaseContext(id)
    await until('the client sees it', mine.ended, SECOND)
    await until('the upstream sees it', () => origin.sockets.size === 1, SECOND)
    for (const socket of origin.sockets) socket.write('1\r\ny\r\n')
    await within('the other goes on', once(others.duplex, 'data'))
    expect(others.ended()).toBe(false)
  },
)

test.each(CLIENTS)('row 35, client abort cancels upstream: a WebSocket %s, within a second', async (_form, open) => {
  const { origin, proxy, context, authority } = await tab()
  const server = serveWebSockets(origin)
  const socket = await open(proxy, context, authority)
  await opened(socket)
  socket.terminate()
  await until('the upstream sees it', () => server.clients.size + origin.sockets.size === 0, SECOND)
})

test.each(CLIENTS)('row 13, release revokes live tunnels: a WebSocket %s, within a second', async (_form, open) => {
  const { origin, route, proxy, context, authority } = await tab()
  const server = serveWebSockets(origin)
  const sockets = [await open(proxy, context, authority), await open(proxy, proxy.createContext(2, route), authority)]
  await Promise.all(sockets.map(opened))
  const [mine, other] = sockets as [(typeof sockets)[0], (typeof sockets)[0]]
  proxy.releaseContext(context.id)
  await until('the client sees it', () => mine.readyState === mine.CLOSED, SECOND)
  await until('the upstream sees it', () => server.clients.size === 1, SECOND)
  expect(await echoed(other, 'still here')).toBe('still here')
})

test('row 60, metrics/snapshot (active conns, tunnels, bytes): zero after release, and after stop', async () => {
  const { origin, proxy, context, authority } = await tab((_request, response) => {
    response.write('part')
  })
  const server = serveWebSockets(origin)
  const other = proxy.createContext(2)
  const client = await inAbsoluteForm({ proxy, context, authority })
  await client.head()
  const socket = await CLIENTS[0][1](proxy, context, authority)
  await opened(socket)
  expect(await echoed(socket, '12345')).toBe('12345')
  await connectTunnel(proxy, other, `127.18.0.1:${origin.port}`)
  expect(proxy.stats()).toMatchObject({ contexts: 2, connections: 1, requests: 1, tunnels: 2, upstreamConnections: 1 })
  expect(proxy.stats().total).toMatchObject({ connections: 3, requests: 3, tunnels: 2 })
  expect(proxy.stats().total.bytesUp).toBeGreaterThanOrEqual(5)
  expect(proxy.stats().total.bytesDown).toBeGreaterThanOrEqual('part'.length + 5)
  proxy.releaseContext(context.id)
  const busy = () => proxy.stats().requests + proxy.stats().upstreamConnections + server.clients.size
  await until('nothing is left of the released one', () => busy() === 0 && proxy.stats().tunnels === 1, SECOND)
  await proxy.stop()
  expect(proxy.stats()).toMatchObject(NOTHING)
  expect(proxy.stats().total.tunnels).toBe(2)
})
