// What the proxy refuses or gives up: the user's own machine, itself, and peers that keep it waiting.
import { lookup } from 'node:dns/promises'
import { hostname } from 'node:os'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { connectTunnel, undiciAgent } from './support/clients.ts'
import { startOrigin, startRawOrigin, text } from './support/origin.ts'
import { until } from './support/poll.ts'
import { basic, startProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-client.ts'

/** Debian gives loopback further names in its hosts file, which no list of loopback names has. */
const alias = await findAlias('ip6-localhost', hostname())

describe.skipIf(!alias)('a name that resolves to loopback (skipped where the hosts file has none)', () => {
  const { name, address } = alias ?? { name: '', address: '' }

  test('is refused to a routed context, in every form', async () => {
    const bait = await startOrigin(text('bait'), { host: address })
    const proxy = await startProxy()
    const context = proxy.createContext(1, { upstream: 'http://127.18.0.1:{port}' })
    const authority = `${name}:${bait.port}`
    const answer = await request(`http://${authority}/`, { dispatcher: undiciAgent(proxy, context) })
    expect(answer.statusCode).toBe(403)
    expect(answer.headers['proxy-status']).toBe('tabport; error=destination_ip_prohibited')
    expect((await connectTunnel(proxy, context, authority)).status).toBe(403)
    const headers = { upgrade: 'websocket', connection: 'upgrade', 'proxy-authorization': basic(context) }
    const lines = Object.entries(headers).map((field) => `${field.join(': ')}\r\n`)
    const client = await RawClient.connect(proxy.port())
    client.send(`GET ws://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n${lines.join('')}\r\n`)
    expect((await client.head()).status).toBe(403)
    expect(bait.connections).toBe(0)
  })

  test('is reached by a context without a route', async () => {
    const origin = await startOrigin(text('mine'), { host: address })
    const proxy = await startProxy()
    const dispatcher = undiciAgent(proxy, proxy.createContext(1))
    expect(await (await request(`http://${name}:${origin.port}/`, { dispatcher })).body.text()).toBe('mine')
  })
})

test('a request that leads back to the proxy is a loop', async () => {
  const proxy = await startProxy()
  const dispatcher = undiciAgent(proxy, proxy.createContext(1))
  const answer = await request(`http://127.0.0.1:${proxy.port()}/`, { dispatcher })
  expect(answer.statusCode).toBe(508)
  expect(answer.headers['proxy-status']).toBe('tabport; error=proxy_loop_detected')
})

describe('timeouts', () => {
  test('an upstream that does not answer is a 504', async () => {
    const origin = await startRawOrigin(() => {})
    const proxy = await startProxy({ timeouts: { responseHead: 100 } })
    const dispatcher = undiciAgent(proxy, proxy.createContext(1))
    const answer = await request(`http://127.0.0.1:${origin.port}/`, { dispatcher })
    expect(answer.statusCode).toBe(504)
    expect(answer.headers['proxy-status']).toBe('tabport; error=http_response_timeout')
    await until('the upstream connection is closed', () => proxy.stats().upstreamConnections === 0)
  })

  test('a client that does not say what it wants is left', async () => {
    const proxy = await startProxy({ timeouts: { requestHead: 100 } })
    const client = await RawClient.connect(proxy.port())
    await client.send('GET http://localhost:1/ HTTP/1.1\r\nHost: loc').rest()
    await until('the connection is counted out', () => proxy.stats().connections === 0)
  })

  test('a tunnel in which nothing moves is closed, one that moves is not', async () => {
    const echo = await startRawOrigin((socket) => socket.pipe(socket))
    const proxy = await startProxy({ timeouts: { idle: 300 } })
    const context = proxy.createContext(1)
    const still = await connectTunnel(proxy, context, `127.0.0.1:${echo.port}`)
    const moving = await connectTunnel(proxy, context, `127.0.0.1:${echo.port}`)
    let moved = 0
    moving.socket.on('data', (bytes) => {
      moved += bytes.length
    })
    const ticking = setInterval(() => moving.socket.write('x'), 50)
    await until('the still one is closed', () => still.socket.resume().closed)
    const then = moved
    await until('the other still moves', () => moved > then + 3)
    clearInterval(ticking)
    expect(moving.socket.closed).toBe(false)
  })
})

async function findAlias(...names: string[]): Promise<{ name: string; address: string } | undefined> {
  for (const name of names) {
    const address = await lookup(name).then(
      (found) => found.address,
      () => '',
    )
    if (/^127\.|^::1$/.test(address)) return { name, address }
  }
  return undefined
}
