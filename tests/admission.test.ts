// The limits on what clients may take, as JavaScript sets them: what is refused, and what each answers.
import { type ContextLimits, type ListenOptions, type ProxyContextInfo, ProxyServer } from 'tabport'
import { describe, expect, test } from 'vitest'
import { connectTunnel } from './support/clients.ts'
import { startOrigin, startRawOrigin, startWorkspace, text } from './support/origin.ts'
import { until } from './support/poll.ts'
import { authorization, startObserved, startProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-client.ts'

const DENIED = 'tabport; error=http_request_denied'
const UNAVAILABLE = 'tabport; error=destination_unavailable'

/** What the types forbid and JavaScript does not. */
const wrong = (value: unknown) => value as never

describe('what is no limit is refused by its path', () => {
  const ofContext: [path: string, limits: unknown][] = [
    ['', 5],
    ['', null],
    ['', []],
    ['', { request: 1 }],
    ...['concurrentRequests', 'tunnels', 'requestsPerSecond'].flatMap((name) =>
      [-1, 1.5, '1', null, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31].map((value): [string, unknown] => [
        `.${name}`,
        { [name]: value },
      ]),
    ),
    ['.requestsPerSecond', { requestsPerSecond: 1_000_001 }],
    ['.burst', { requestsPerSecond: 1, burst: 0 }],
    ['.burst', { requestsPerSecond: 1, burst: 1_000_001 }],
    ['.burst', { requestsPerSecond: 1, burst: '1' }],
    ['.burst needs requestsPerSecond', { burst: 1 }],
    ['.burst needs requestsPerSecond', { requestsPerSecond: 0, burst: 1 }],
    ['.breaker', { breaker: 3 }],
    ['.breaker has no', { breaker: {} }],
    ['.breaker.failures', { breaker: { failures: -1 } }],
    ['.breaker.openMs', { breaker: { failures: 1, openMs: 0 } }],
    ['.breaker.openMs', { breaker: { failures: 1, openMs: 2 ** 31 } }],
    ['.breaker has an unknown member', { breaker: { failures: 1, open: 1 } }],
  ]
  const ofProxy: [path: string, limits: unknown][] = [
    ['', true],
    ['', { conections: 1 }],
    ...[0, 1023, 2 ** 20 + 1, 1024.5, '65536'].map((value): [string, unknown] => ['.headBytes', { headBytes: value }]),
    ...[0, 2 ** 15 + 1, -1, null].map((value): [string, unknown] => ['.headFields', { headFields: value }]),
    ...[-1, 2 ** 31, 0.5].map((value): [string, unknown] => ['.connections', { connections: value }]),
    ...ofContext.map(([path, context]): [string, unknown] => [`.context${path}`, { context }]),
  ]

  test.each(ofProxy)('options.limits%s: %j', async (path, limits) => {
    await expect(async () => ProxyServer.listen({ limits: wrong(limits) })).rejects.toMatchObject({
      code: 'ERR_TABPORT_INVALID_ARGUMENT',
      message: expect.stringContaining(`options.limits${path} `),
    })
  })

  test.each(ofContext)('route.limits%s: %j', async (path, limits) => {
    const proxy = await startProxy()
    const create = () => proxy.createContext(1, { upstream: 'http://127.18.0.1:{port}', limits: wrong(limits) })
    expect(create).toThrow(expect.objectContaining({ code: 'ERR_TABPORT_INVALID_ROUTE' }))
    expect(create).toThrow(`route.limits${path} `)
    expect(proxy.stats().contexts).toBe(0)
  })

  test('limits alone are no route', async () => {
    const proxy = await startProxy()
    const create = () => proxy.createContext(1, wrong({ limits: { tunnels: 1 } }))
    expect(create).toThrow(expect.objectContaining({ code: 'ERR_TABPORT_INVALID_ROUTE' }))
  })
})

test('the ends of every range, and what is left out, are taken', async () => {
  const largest = 2 ** 31 - 1
  const context: ContextLimits = {
    concurrentRequests: largest,
    tunnels: largest,
    requestsPerSecond: 1_000_000,
    burst: 1_000_000,
    breaker: { failures: largest, openMs: largest },
  }
  const limits: ListenOptions['limits'][] = [
    undefined,
    {},
    { context: {} },
    { headBytes: 1024, headFields: 1, connections: largest, context },
    { headBytes: 2 ** 20, headFields: 2 ** 15, connections: 0, context: { breaker: { failures: 0, openMs: 1 } } },
  ]
  for (const some of limits) {
    const proxy = await startProxy({ limits: some })
    proxy.createContext(1, { upstream: 'http://127.18.0.1:{port}', limits: { ...context, burst: 1 } })
    proxy.createContext(2, { upstream: 'http://127.18.0.1:{port}', limits: undefined })
  }
})

const get = (context: ProxyContextInfo, authority: string) =>
  `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n${authorization(context)}\r\n`

/** Asks over one connection, which every answer must leave usable. */
async function asker(proxy: ProxyServer, context: ProxyContextInfo, authority: string) {
  const client = await RawClient.connect(proxy.port())
  return () => client.send(get(context, authority)).response()
}

test('requests in flight: 503 beyond the limit, and a place that is free again', async () => {
  const held = await startRawOrigin(() => {})
  const proxy = await startProxy({ limits: { context: { concurrentRequests: 1 } } })
  const context = proxy.createContext(1)
  const holding = await RawClient.connect(proxy.port())
  holding.send(get(context, `127.0.0.1:${held.port}`))
  await until('it has arrived', () => held.connections === 1)
  const origin = await startOrigin(text('served'))
  const ask = await asker(proxy, context, `127.0.0.1:${origin.port}`)
  const refused = await ask()
  expect(refused.status).toBe(503)
  expect(refused.all('Retry-After')).toEqual(['1'])
  expect(refused.all('Proxy-Status')).toEqual([DENIED])
  holding.socket.destroy()
  await until('it is served', async () => (await ask()).body === 'served')
  expect(origin.connections).toBe(1)
})

test('the rate: 429 with the time to wait', async () => {
  const origin = await startOrigin(text('served'))
  const proxy = await startProxy({ limits: { context: { requestsPerSecond: 1, burst: 5 } } })
  const ask = await asker(proxy, proxy.createContext(1), `127.0.0.1:${origin.port}`)
  for (let served = 0; served < 5; served += 1) expect((await ask()).status).toBe(200)
  const refused = await until('one is refused', async () => {
    const answer = await ask()
    return answer.status === 200 ? undefined : answer
  })
  expect(refused.status).toBe(429)
  expect(refused.all('Retry-After')).toEqual(['1'])
  expect(refused.all('Proxy-Status')).toEqual([DENIED])
  await until('it is served again', async () => (await ask()).status === 200)
})

test('tunnels: 503 beyond the limit, until one has ended', async () => {
  const echo = await startRawOrigin((socket) => socket.pipe(socket))
  const proxy = await startProxy({ limits: { context: { tunnels: 1 } } })
  const context = proxy.createContext(1)
  const first = await connectTunnel(proxy, context, `127.0.0.1:${echo.port}`)
  const second = await connectTunnel(proxy, context, `127.0.0.1:${echo.port}`)
  expect([first.status, second.status]).toEqual([200, 503])
  expect(second.headers['retry-after']).toBe('1')
  first.socket.destroy()
  await until('another opens', async () => {
    const { status } = await connectTunnel(proxy, context, `127.0.0.1:${echo.port}`)
    return status === 200
  })
})

test('connections: a further one is told 503 unasked, and is only in the events', async () => {
  const { proxy, events } = await startObserved({ limits: { connections: 1 } })
  const first = await RawClient.connect(proxy.port())
  await until('it is counted', () => proxy.stats().connections === 1)
  const second = await RawClient.connect(proxy.port())
  const refused = await second.response()
  expect(refused.status).toBe(503)
  expect(refused.all('Retry-After')).toEqual(['1'])
  expect(await second.rest()).toBe('')
  expect(proxy.stats().total.connections).toBe(1)
  await until('it is reported', () => events.some((event) => event.type === 'error'))
  first.socket.destroy()
  await until('another is served', async () => {
    const client = await RawClient.connect(proxy.port())
    return (await client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n').response()).status === 407
  })
})

test('the breaker: 503 with the time that is left, and nothing is dialled', async () => {
  const origin = await startOrigin(text('up'))
  await origin.close()
  const proxy = await startProxy({ limits: { context: { breaker: { failures: 2, openMs: 600_000 } } } })
  const ask = await asker(proxy, proxy.createContext(1), `127.0.0.1:${origin.port}`)
  expect([(await ask()).status, (await ask()).status]).toEqual([502, 502])
  const again = await startOrigin(text('up'), { port: origin.port })
  const refused = await ask()
  expect(refused.status).toBe(503)
  const left = Number(refused.all('Retry-After')[0])
  expect(left).toBeGreaterThan(540)
  expect(left).toBeLessThanOrEqual(600)
  expect(refused.all('Proxy-Status')).toEqual([UNAVAILABLE])
  expect(again.connections).toBe(0)
})

describe("a route's limits", () => {
  const held = () => startWorkspace(() => {})

  test('come before those of the proxy, each on its own', async () => {
    const { origin, route } = await held()
    const limits = { context: { concurrentRequests: 1, tunnels: 1 } }
    const proxy = await startProxy({ limits })
    const context = proxy.createContext(1, { ...route, limits: { concurrentRequests: 2 } })
    const authority = `localhost:${origin.port}`
    for (const arrived of [1, 2]) {
      const client = await RawClient.connect(proxy.port())
      client.send(get(context, authority))
      await until('it has arrived', () => origin.seen.length === arrived)
    }
    const ask = await asker(proxy, context, authority)
    expect((await ask()).status).toBe(503)
  })

  test.each([
    ['a rate of its own has no burst from elsewhere', { requestsPerSecond: 1 }, 1],
    ['a burst of its own goes with the rate of the proxy', { burst: 2 }, 2],
    ['neither is both of the proxy', {}, 50],
  ])('%s', async (_what, limits, burst) => {
    const { origin, route } = await startWorkspace(text('served'))
    const proxy = await startProxy({ limits: { context: { requestsPerSecond: 1, burst: 50 } } })
    const ask = await asker(proxy, proxy.createContext(1, { ...route, limits }), `localhost:${origin.port}`)
    let served = 0
    await until('one is refused', async () => {
      const { status } = await ask()
      served += Number(status === 200)
      return status === 429
    })
    // One more for each second that it may have taken on a busy machine.
    expect(served).toBeGreaterThanOrEqual(burst)
    expect(served).toBeLessThan(burst + 10)
  })

  test('leave what they do not name as the proxy has it, and turn off what they name with 0', async () => {
    const { origin, route } = await held()
    const proxy = await startProxy({ limits: { context: { concurrentRequests: 1, tunnels: 1 } } })
    const authority = `localhost:${origin.port}`
    const endless = proxy.createContext(1, { ...route, limits: { tunnels: 0 } })
    const limited = proxy.createContext(2, { ...route, limits: {} })
    const statuses = async (context: ProxyContextInfo) => {
      const tunnels = [await connectTunnel(proxy, context, authority), await connectTunnel(proxy, context, authority)]
      return tunnels.map(({ status }) => status)
    }
    expect(await statuses(endless)).toEqual([200, 200])
    expect(await statuses(limited)).toEqual([200, 503])
    const client = await RawClient.connect(proxy.port())
    client.send(get(endless, authority))
    await until('it has arrived', () => origin.seen.length === 1)
    const ask = await asker(proxy, endless, authority)
    expect((await ask()).status).toBe(503)
  })
})
