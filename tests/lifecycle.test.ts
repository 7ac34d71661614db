// Releasing a context and stopping the server end what is live, within a second, and nothing else.
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { ProxyServer } from 'tabport'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import type WebSocket from 'ws'
import { WebSocketServer } from 'ws'
import {
  connectTunnel,
  http2Session,
  undiciAgent,
  webSocketByAbsoluteForm,
  webSocketByConnect,
} from './support/clients.ts'
import { startRawOrigin, startWorkspace } from './support/origin.ts'
import { until, within } from './support/poll.ts'
import { basic, startProxy } from './support/proxy.ts'

const SECOND = 1_000
/** Neither HTTP nor TLS: it is tunnelled. */
const OPAQUE = Buffer.from([0x00, 0x01, 0x02])
const ZERO = { contexts: 0, connections: 0, requests: 0, tunnels: 0, upstreamConnections: 0 }

describe('releaseContext', () => {
  test('cuts the tunnels and streams of its context, and leaves the others', async () => {
    const { proxy, contexts, live, alive } = await liveTraffic()
    const [first, second] = live
    proxy.releaseContext(contexts[0].id)
    await until('everything of the released context is cut', () => first.every((end) => end.cut()), SECOND)
    expect(second.filter((end) => end.cut())).toEqual([])
    expect(proxy.stats().contexts).toBe(1)
    for (const end of second) await alive(end)
  })

  test('closes the upstream connections of its context, and leaves the others', async () => {
    const { origin, route } = await startWorkspace()
    const proxy = await startProxy()
    const contexts = [proxy.createContext(1, route), proxy.createContext(2, route)] as const
    for (const context of contexts) {
      const { body } = await request(`http://localhost:${origin.port}/`, { dispatcher: undiciAgent(proxy, context) })
      await body.dump()
    }
    await until('two pooled connections, one for each context', () => proxy.stats().upstreamConnections === 2)
    expect(origin.sockets.size).toBe(2)
    proxy.releaseContext(contexts[0].id)
    await until('one is closed', () => origin.sockets.size === 1, SECOND)
    expect(proxy.stats().upstreamConnections).toBe(1)
  })

  test('replacing a context cuts what the replaced one had', async () => {
    const { proxy, contexts, live } = await liveTraffic()
    proxy.createContext(contexts[0].webContentsId)
    await until('everything of the replaced context is cut', () => live[0].every((end) => end.cut()), SECOND)
    expect(live[1].filter((end) => end.cut())).toEqual([])
  })
})

describe('stop', () => {
  test('ends everything, and every gauge is zero', async () => {
    const { proxy, origin, live } = await liveTraffic()
    const port = proxy.port()
    const before = proxy.stats()
    expect(before.contexts).toBe(2)
    for (const gauge of ['connections', 'requests', 'tunnels', 'upstreamConnections'] as const) {
      expect.soft(before[gauge], gauge).toBeGreaterThan(0)
    }
    await within('stop', proxy.stop(), SECOND)
    await until('everything is cut', () => live.flat().every((end) => end.cut()), SECOND)
    await until('the origin is left alone', () => origin.sockets.size === 0, SECOND)
    expect(proxy.stats()).toMatchObject(ZERO)
    expect(proxy.stats().total.tunnels).toBeGreaterThan(0)

    const next = await ProxyServer.start(`127.0.0.1:${port}`, true)
    expect(next.port()).toBe(port)
    await next.stop()
  })

  test('does not wait for a request that hangs', async () => {
    const origin = await startRawOrigin(() => {})
    const proxy = await startProxy()
    const dispatcher = undiciAgent(proxy, proxy.createContext(1))
    const outcome = request(`http://127.0.0.1:${origin.port}/`, { dispatcher }).then(
      ({ statusCode }) => statusCode,
      () => 'cut',
    )
    await until('the request has reached the origin', () => origin.connections === 1)
    await within('stop', proxy.stop(), SECOND)
    expect(await within('the end of the request', outcome, SECOND)).not.toBe(200)
    expect(proxy.stats()).toMatchObject(ZERO)
  })
})

test('a client that goes away takes its upstream connection with it', async () => {
  const origin = await startRawOrigin((socket) => socket.on('end', () => socket.end()))
  const proxy = await startProxy()
  const { socket } = await connectTunnel(proxy, proxy.createContext(1), `127.0.0.1:${origin.port}`)
  await until('the tunnel', () => origin.sockets.size === 1)
  socket.destroy()
  await until('the upstream connection is closed', () => origin.sockets.size === 0, SECOND)
  await until('the gauges are zero', () => proxy.stats().tunnels === 0 && proxy.stats().upstreamConnections === 0)
})

/** One thing that is open: whether it was cut, and how to see that it still moves. */
interface LiveEnd {
  what: string
  cut(): boolean
  /** Makes a byte move and resolves when it has arrived. */
  move(): Promise<unknown>
}

/** Two contexts, each with one of everything that can be open for long. */
async function liveTraffic() {
  const { origin, route } = await startWorkspace((incoming, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.write('data: open\n\n')
    pushers.set(incoming.url ?? '', () => response.write('data: more\n\n'))
  })
  const pushers = new Map<string, () => void>()
  const server = new WebSocketServer({ noServer: true })
  origin.server.on('upgrade', (upgrade, stream, early) => {
    server.handleUpgrade(upgrade, stream, early, (socket) => socket.on('message', (data) => socket.send(data)))
  })
  const echo = await startRawOrigin((socket) => socket.pipe(socket), { host: '127.18.0.1' })
  const proxy = await startProxy()
  const contexts = [proxy.createContext(1, route), proxy.createContext(2, route)] as const
  const open = async (context: (typeof contexts)[number]): Promise<LiveEnd[]> => {
    const authority = `localhost:${origin.port}`
    const { socket } = await connectTunnel(proxy, context, `localhost:${echo.port}`)
    const sse = `/h1/${context.id}`
    const { body } = await request(`http://${authority}${sse}`, { dispatcher: undiciAgent(proxy, context) })
    const h2 = `/h2/${context.id}`
    const stream = http2Session(proxy).request({
      ':authority': authority,
      ':path': h2,
      'proxy-authorization': basic(context),
    })
    return [
      tunnelEnd(socket),
      await webSocketEnd('a WebSocket through CONNECT', await webSocketByConnect(proxy, context, authority)),
      await webSocketEnd('a WebSocket in absolute form', webSocketByAbsoluteForm(proxy, context, authority)),
      await streamEnd('an event stream', body, () => pushers.get(sse)?.()),
      await streamEnd('an event stream over HTTP/2', stream, () => pushers.get(h2)?.()),
    ]
  }
  const live = [await open(contexts[0]), await open(contexts[1])] as const
  const alive = (end: LiveEnd) => within(`${end.what} still moves`, end.move(), SECOND)
  for (const end of live.flat()) await alive(end)
  return { proxy, origin, contexts, live, alive }
}

function tunnelEnd(socket: Socket): LiveEnd {
  let cut = false
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      cut = true
    })
  }
  const move = () => {
    const back = once(socket, 'data')
    socket.write(OPAQUE)
    return back
  }
  return { what: 'a tunnel', cut: () => cut, move }
}

async function webSocketEnd(what: string, socket: WebSocket): Promise<LiveEnd> {
  await within(`${what} opens`, once(socket, 'open'))
  const move = () => {
    const back = once(socket, 'message')
    socket.send('x')
    return back
  }
  socket.on('error', () => {})
  return { what, cut: () => socket.readyState === socket.CLOSED, move }
}

async function streamEnd(what: string, body: NodeJS.ReadableStream, push: () => void): Promise<LiveEnd> {
  let cut = false
  for (const event of ['error', 'end', 'close']) {
    body.on(event, () => {
      cut = true
    })
  }
  await within(`${what} opens`, once(body, 'data'))
  const move = () => {
    const more = once(body, 'data')
    push()
    return more
  }
  return { what, cut: () => cut, move }
}
