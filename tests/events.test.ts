// What the embedder is told: the events, the counters, and never a secret.

import type { ProxyEvent } from 'tabport'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { connectTunnel, http2Request, http2Session, undiciAgent } from './support/clients.ts'
import { startRawOrigin, startWorkspace, text } from './support/origin.ts'
import { until } from './support/poll.ts'
import { basic, startObserved, startProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-client.ts'

type Of<Type extends ProxyEvent['type']> = Extract<ProxyEvent, { type: Type }>
const only = <Type extends ProxyEvent['type']>(events: ProxyEvent[], type: Type) =>
  events.filter((event): event is Of<Type> => event.type === type)

describe('events', () => {
  test('a request is reported once, when it has ended', async () => {
    const { origin, route } = await startWorkspace((incoming, response) => {
      incoming.resume().on('end', () => response.writeHead(201).end('answer'))
    })
    const { proxy, events } = await startObserved()
    const context = proxy.createContext(7, route)
    const url = `http://localhost:${origin.port}/a/b?key=secret`
    const options = { method: 'POST', body: 'question', dispatcher: undiciAgent(proxy, context) } as const
    await (await request(url, options)).body.dump()
    await until('the event', () => only(events, 'request').length > 0)
    expect(only(events, 'request')).toEqual([
      {
        type: 'request',
        contextId: context.id,
        webContentsId: 7,
        method: 'POST',
        authority: `localhost:${origin.port}`,
        path: '/a/b',
        status: 201,
        bytesUp: 8,
        bytesDown: 6,
        headMs: expect.any(Number),
        durationMs: expect.any(Number),
        outcome: 'complete',
      },
    ])
    const [{ headMs, durationMs } = expect.unreachable()] = only(events, 'request')
    expect(headMs).toBeGreaterThan(0)
    expect(durationMs).toBeGreaterThanOrEqual(headMs)
  })

  test('a response that is cut off is an aborted one', async () => {
    const { origin, route } = await startWorkspace((_request, response) => {
      response.write('part')
    })
    const { proxy, events } = await startObserved()
    const dispatcher = undiciAgent(proxy, proxy.createContext(1, route))
    const { body } = await request(`http://localhost:${origin.port}/`, { dispatcher })
    body.on('error', () => {}).once('data', () => origin.kill())
    await until('the event', () => only(events, 'request').length > 0)
    expect(only(events, 'request')).toMatchObject([{ status: 200, outcome: 'aborted', bytesDown: 4 }])
  })

  test('connections and tunnels have a beginning and an end', async () => {
    const echo = await startRawOrigin((socket) => socket.pipe(socket), { host: '127.18.0.1' })
    const { proxy, events } = await startObserved()
    const context = proxy.createContext(7)
    const authority = `127.18.0.1:${echo.port}`
    const { socket } = await connectTunnel(proxy, context, authority)
    socket.resume().end('12345')
    await until(
      'the end of both',
      () => events.filter((event) => 'phase' in event && event.phase === 'closed').length === 2,
    )

    const tunnel = {
      type: 'tunnel',
      tunnelId: expect.any(Number),
      kind: 'connect',
      contextId: context.id,
      webContentsId: 7,
      authority,
    }
    const counted = { bytesUp: expect.any(Number), bytesDown: expect.any(Number), durationMs: expect.any(Number) }
    expect(only(events, 'tunnel')).toEqual([
      { ...tunnel, phase: 'opened', ...counted },
      { ...tunnel, phase: 'closed', ...counted, bytesUp: 5, bytesDown: 5 },
    ])
    const [opened, closed] = only(events, 'tunnel')
    expect(opened?.tunnelId).toBe(closed?.tunnelId)
    const connections = only(events, 'connection')
    expect(connections.map(({ phase }) => phase)).toEqual(['opened', 'closed'])
    expect(connections[0]?.connectionId).toBe(connections[1]?.connectionId)
  })

  test('a failure has the error token of RFC 9209', async () => {
    const { origin, route } = await startWorkspace()
    await origin.close()
    const { proxy, events } = await startObserved()
    const context = proxy.createContext(1, route)
    const authority = `localhost:${origin.port}`
    await (await request(`http://${authority}/`, { dispatcher: undiciAgent(proxy, context) })).body.dump()
    await until('the event', () => only(events, 'error').length > 0)
    expect(only(events, 'error')).toEqual([
      { type: 'error', contextId: context.id, code: 'connection_refused', authority, message: expect.any(String) },
    ])
  })
})

test('no event, error or answer of the proxy shows a secret', async () => {
  const { origin, route } = await startWorkspace()
  const { proxy, events } = await startObserved()
  const context = proxy.createContext(1, route)
  const authority = `localhost:${origin.port}`
  const headers = { Cookie: 'sid=cookie-secret', Authorization: 'Bearer bearer-secret' }
  const dispatcher = undiciAgent(proxy, context)
  const url = `http://${authority}/path?query-secret=1#fragment-secret`
  const said: string[] = []

  await (await request(url, { dispatcher, headers })).body.dump()
  await http2Request(http2Session(proxy), {
    ':authority': authority,
    ':path': '/path?query-secret=1',
    ':scheme': 'http',
    cookie: 'sid=cookie-secret',
    'proxy-authorization': basic(context),
  })
  const { socket } = await connectTunnel(proxy, context, authority)
  socket.end(`GET /path?query-secret=1 HTTP/1.1\r\nHost: ${authority}\r\nCookie: cookie-secret\r\n\r\n`)
  const anonymous = await RawClient.connect(proxy.port())
  const wrong = `Proxy-Authorization: ${basic({ ...context, password: 'password-secret' })}\r\n`
  anonymous.send(`GET ${url} HTTP/1.1\r\nHost: user-secret@x\r\nCookie: cookie-secret\r\n${wrong}\r\n`)
  said.push(JSON.stringify(await anonymous.head()))
  await origin.close()
  const failed = await request(url, { dispatcher, headers })
  said.push(JSON.stringify(failed.headers), await failed.body.text())
  try {
    proxy.createContext(2, { upstream: 'http://user-secret:password-secret@host?query-secret' })
  } catch (error) {
    said.push(String(error))
  }
  expect(said).toHaveLength(4)
  await until('the failure is reported', () => only(events, 'error').some(({ code }) => code === 'connection_refused'))

  expect(only(events, 'request').length).toBeGreaterThanOrEqual(3)
  const everything = [...said, JSON.stringify(events)].join('\n')
  expect(everything).not.toMatch(/(cookie|bearer|query|fragment|user)-secret|password-secret/)
  expect(JSON.stringify(events)).not.toContain(context.password)
  expect(JSON.stringify(events)).not.toContain(basic(context).slice('Basic '.length))
})

describe('stats', () => {
  test('has gauges, which follow what is open, and totals', async () => {
    const { origin, route } = await startWorkspace(text('answer'))
    const proxy = await startProxy()
    expect(proxy.stats()).toEqual({
      contexts: 0,
      connections: 0,
      requests: 0,
      tunnels: 0,
      upstreamConnections: 0,
      total: { connections: 0, requests: 0, tunnels: 0, bytesUp: 0, bytesDown: 0, eventsDropped: 0 },
    })
    const context = proxy.createContext(1, route)
    const dispatcher = undiciAgent(proxy, context)
    const url = `http://localhost:${origin.port}/`
    await (await request(url, { dispatcher, method: 'POST', body: 'question' })).body.dump()
    await until('the request is over', () => proxy.stats().requests === 0)
    expect(proxy.stats()).toEqual({
      contexts: 1,
      connections: 1,
      requests: 0,
      tunnels: 0,
      upstreamConnections: 1,
      total: { connections: 1, requests: 1, tunnels: 0, bytesUp: 8, bytesDown: 6, eventsDropped: 0 },
    })
    await dispatcher.destroy()
    proxy.releaseContext(context.id)
    await until('the gauges are zero again', () => {
      const { contexts, connections, upstreamConnections } = proxy.stats()
      return contexts + connections + upstreamConnections === 0
    })
  })
})
