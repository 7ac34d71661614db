// A tunnel of which one side has ended: what the other still sends arrives, and a peer that is silent from then on
// does not keep it open for ever.
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { Check, Source } from '../support/bulk.ts'
import { type Origin, startRawOrigin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { authorization } from '../support/proxy.ts'
import { ProxyProcess } from '../support/proxy-process.ts'
import { startRelay } from '../support/relay.ts'
import { open, openHttp2Tunnel, openTunnel, type Towards } from '../support/ways.ts'

const LIMIT_MS = 500
const SIZE = 4 * 1024 * 1024
const ARRIVES_MS = 30_000

/** Opens a tunnel; nothing has been said in it. */
type Open = (to: Towards) => Promise<Duplex>

const byConnect: Open = (to) => openTunnel(to.proxy.port(), to.plain, `127.0.0.1:${to.port}`)

const byUpgrade: Open = async (to) => {
  const socket = await open(to.proxy.port())
  const target = `GET http://127.0.0.1:${to.port}/ HTTP/1.1\r\nHost: 127.0.0.1:${to.port}\r\n`
  socket.write(`${target}${authorization(to.plain)}Connection: upgrade\r\nUpgrade: bytes\r\n\r\n`)
  expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1\.1 101 /)
  return socket
}

const byHttp2: Open = async (to) => (await openHttp2Tunnel(to)).duplex

const OPENS: [string, Open][] = [
  ['CONNECT', byConnect],
  ['an upgrade', byUpgrade],
  ['CONNECT over HTTP/2', byHttp2],
]

describe.each(OPENS)('a tunnel by %s', (_name, opens) => {
  test('carries 4 MiB after the end of the client', async () => {
    const { to, origin } = await fixture()
    const { client, upstream } = await tunnel(opens, to, origin)
    const arrived = receive(client)
    client.end()
    await within('the end at the origin', once(upstream.resume(), 'end'))
    new Source(SIZE).pipe(upstream)
    await within('the end at the client', once(client, 'end'), ARRIVES_MS)
    expect([arrived.received, arrived.intact]).toEqual([SIZE, true])
  })

  test('carries 4 MiB after the end of the origin', async () => {
    const { to, origin } = await fixture()
    const { client, upstream } = await tunnel(opens, to, origin)
    const arrived = receive(upstream)
    upstream.end()
    await within('the end at the client', once(client.resume(), 'end'))
    new Source(SIZE).pipe(client)
    await within('the end at the origin', once(upstream, 'end'), ARRIVES_MS)
    expect([arrived.received, arrived.intact]).toEqual([SIZE, true])
  })

  test('is not closed while it moves, however long that takes', async () => {
    const { to, origin } = await fixture({ halfClose: 3 * LIMIT_MS })
    const relay = await startRelay(origin, { down: { pieces: 1_000, delayMs: LIMIT_MS / 10 } })
    const { client, upstream } = await tunnel(opens, { ...to, port: relay.port }, origin)
    const arrived = receive(client)
    client.end()
    await within('the end at the origin', once(upstream.resume(), 'end'))
    new Source(40_000).pipe(upstream)
    await within('the end at the client', once(client, 'end'), ARRIVES_MS)
    expect([arrived.received, arrived.intact]).toEqual([40_000, true])
  })

  test.each(['client', 'upstream'] as const)('is closed when its %s has ended and nothing moves', async (who) => {
    const { proxy, to, origin } = await fixture()
    const descriptors = proxy.descriptors()
    const silent = await tunnel(opens, to, origin)
    const open = await tunnel(byConnect, to, origin)
    expect(proxy.descriptors()).toBeGreaterThan(descriptors + 2)
    silent.client.resume()
    silent.upstream.resume()
    silent[who].end()
    const { client, upstream } = silent
    const told = who === 'client' ? upstream : client
    await within('the end is passed on', once(told, 'end'))
    await until('the tunnel is closed', async () => (await proxy.stats()).tunnels === 1)
    await until('both sides are let go', () => client.destroyed || client.readableEnded)
    to.session?.destroy()
    await moves(open)
    await proxy.returnsTo(descriptors + 2)
  })
})

test('the limit is 30 s where none is given, and then the descriptors are returned', { timeout: 90_000 }, async () => {
  const { proxy, to, origin } = await fixture({})
  const descriptors = proxy.descriptors()
  const [first, second] = [await tunnel(byConnect, to, origin), await tunnel(byConnect, to, origin)]
  const ended = performance.now()
  first.client.end()
  second.upstream.end()
  await proxy.returnsTo(descriptors, 60_000)
  const seconds = (performance.now() - ended) / 1_000
  // Later only by what a busy machine adds.
  expect(seconds).toBeGreaterThan(29)
  expect(seconds).toBeLessThan(35)
})

async function fixture(timeouts: { halfClose?: number } = { halfClose: LIMIT_MS }) {
  const origin = await startRawOrigin(() => {})
  const proxy = await ProxyProcess.start({ options: { timeouts } })
  const plain = await proxy.createContext(1)
  const to: Towards = { proxy, plain, routed: plain, port: origin.port }
  return { proxy, to, origin }
}

/** Opens a tunnel and gives both of its ends. */
async function tunnel(opens: Open, to: Towards, origin: Origin): Promise<{ client: Duplex; upstream: Socket }> {
  const accepted = once(origin.server, 'connection')
  const opening = opens(to)
  const [upstream] = (await within('a connection at the origin', accepted)) as [Socket]
  if (opens === byUpgrade) {
    await once(upstream, 'data')
    upstream.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n')
  }
  return { client: await within('the tunnel', opening), upstream }
}

async function moves({ client, upstream }: { client: Duplex; upstream: Socket }) {
  const there = once(upstream.resume(), 'data')
  client.write('x')
  await within('a byte', there)
}

function receive(from: Duplex): Check {
  const check = new Check()
  from.on('data', (bytes) => check.take(bytes)).resume()
  return check
}
