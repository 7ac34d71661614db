// What the proxy refuses or gives up: the user's own machine, itself, and peers that keep it waiting.
import type { ProxyContextInfo, ProxyServer } from 'tabport'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { connectTunnel, undiciAgent } from './support/clients.ts'
import { startOrigin, startRawOrigin, text } from './support/origin.ts'
import { until } from './support/poll.ts'
import { basic, startProxy } from './support/proxy.ts'
import { type Head, RawClient } from './support/raw-client.ts'

/** Not an address to a URL parser's eye, and one to the system's resolver: what only a look-up shows. */
const NAME = '127.1'

describe('a name that resolves to loopback', () => {
  const ask = async (proxy: ProxyServer, context: ProxyContextInfo, request: string): Promise<Head> => {
    const client = await RawClient.connect(proxy.port())
    return client.send(`${request}Proxy-Authorization: ${basic(context)}\r\n\r\n`).head()
  }

  test('is refused to a routed context, in every form', async () => {
    const bait = await startOrigin(text('bait'))
    const proxy = await startProxy()
    const context = proxy.createContext(1, { upstream: 'http://127.18.0.1:{port}' })
    const host = `${NAME}:${bait.port}`
    for (const request of [
      `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n`,
      `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n`,
      `GET ws://${host}/ HTTP/1.1\r\nHost: ${host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n`,
    ]) {
      const answer = await ask(proxy, context, request)
      expect(answer.status).toBe(403)
      expect(answer.all('Proxy-Status')).toEqual(['tabport; error=destination_ip_prohibited'])
    }
    expect(bait.connections).toBe(0)
  })

  test('is reached by a context without a route', async () => {
    const origin = await startOrigin(text('mine'))
    const proxy = await startProxy()
    const host = `${NAME}:${origin.port}`
    const answer = await ask(proxy, proxy.createContext(1), `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n`)
    expect(answer.status).toBe(200)
    expect(origin.connections).toBe(1)
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
