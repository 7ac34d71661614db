// A network that is merely bad: slow, in small pieces, silent at times, down for a while. What gets through is
// whole, and when it is well again so is the proxy.
import { once } from 'node:events'
import type { ListenOptions } from 'tabport'
import { describe, expect, onTestFinished, test } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import { many } from '../support/many.ts'
import { type Answer, startOrigin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { startProxy } from '../support/proxy.ts'
import { type Ending, type Fault, type Plan, startRelay } from '../support/relay.ts'
import {
  absoluteForm,
  connect,
  connectOverHttp2,
  connectRouted,
  openTunnel,
  outcome,
  overHttp2,
  type Towards,
  type Way,
} from '../support/ways.ts'

const WAYS: [string, Way][] = [
  ['absolute form', absoluteForm],
  ['HTTP/2', overHttp2],
  ['CONNECT', connect],
  ['CONNECT to a routed name', connectRouted],
  ['CONNECT over HTTP/2', connectOverHttp2],
]
const ENDS_MS = 30_000
/** No two of its lines are alike, so that one that is lost or doubled shows. */
const SENT = Array.from({ length: 400 }, (_, line) => `line ${line}\n`).join('')
const WHOLE = { status: 200, body: Buffer.from(SENT), whole: true }

const sendBack: Answer = (request, response) => {
  request.pipe(response)
}
const send: Answer = (_request, response) => {
  response.end(SENT)
}

describe.each([
  ['a byte at a time', { pieces: 1 }],
  ['in pieces, each held back', { pieces: 47, delayMs: 1 }],
  ['late', { delayMs: 20 }],
] satisfies [string, Fault][])('bytes that come %s, on both sides of the proxy', (_name, fault) => {
  const plan: Plan = { up: fault, down: fault }

  test.each(WAYS)('arrive, asked by %s', async (_way, way) => {
    const { port } = await startRelay(await startOrigin(sendBack), plan)
    const to = await behindRelay(plan, port)
    const exchange = await way(to, { method: 'POST', fields: { 'Content-Length': String(SENT.length) } })
    if (exchange.raw) exchange.duplex.write(SENT)
    else exchange.duplex.end(SENT)
    expect(await within('an answer', outcome(exchange), ENDS_MS)).toEqual(WHOLE)
  })

  test('arrive through a WebSocket', async () => {
    const origin = await startOrigin()
    const server = new WebSocketServer({ server: origin.server as never })
    server.on('connection', (socket) => socket.on('message', (message) => socket.send(message)))
    const { port } = await startRelay(origin, plan)
    const to = await behindRelay(plan, port)
    const tunnel = await openTunnel(to.proxy.port(), to.routed, `localhost:${port}`)
    const socket = new WebSocket(`ws://localhost:${port}/`, { createConnection: () => tunnel.resume() })
    onTestFinished(() => socket.terminate())
    await within('the upgrade', once(socket, 'open'), ENDS_MS)
    socket.send(SENT)
    const [message] = await within('the echo', once(socket, 'message'), ENDS_MS)
    expect(String(message)).toBe(SENT)
  })
})

test.each(WAYS)('an upstream that falls silent in a body holds up nobody else, asked by %s', async (_way, way) => {
  const origin = await startOrigin(send)
  // The head and a part of the body; then nothing, on the first connection only.
  const relay = await startRelay(origin, (number) => (number === 0 ? { down: { after: 1_000, by: 'stall' } } : {}))
  const to = await towards({ timeouts: { idle: 1_500 } }, relay.port)
  const silent = outcome(await way(to, {}))
  await until('the silent connection', () => relay.connections === 1)
  await many(20, 5, async () => {
    expect(await within('an answer to others', outcome(await way(to, {})), ENDS_MS)).toEqual(WHOLE)
  })
  const { status, whole, body } = await within('the idle limit', silent, ENDS_MS)
  expect({ status, whole }).toEqual({ status: 200, whole: false })
  expect(SENT.startsWith(String(body))).toBe(true)
})

test.each(WAYS.slice(0, 2))(
  'an upstream that was down is reached by the first request after, asked by %s',
  async (_way, way) => {
    const origin = await startOrigin(send)
    let relay = await startRelay(origin)
    const { port } = relay
    const to = await towards({}, port)
    const ask = async () => within('an answer', outcome(await way(to, {})), ENDS_MS)
    // Some outgoing connection may have taken the port meanwhile.
    const again = () => startRelay(origin, {}, port).catch(() => undefined)
    for (let round = 0; round < 5; round += 1) {
      expect(await ask()).toEqual(WHOLE)
      await relay.close()
      await many(20, 5, async () => expect(await ask()).toMatchObject({ status: 502, whole: true }))
      relay = await until('its port is free', again, ENDS_MS)
    }
    expect(await ask()).toEqual(WHOLE)
  },
)

describe.each(WAYS.slice(0, 2))(
  'connections that the upstream ends while nothing is asked of it, asked by %s',
  (_way, way) => {
    test.each(['cut', 'reset'] as Ending[])('by a %s, are not used again', async (how) => {
      const relay = await startRelay(await startOrigin(send))
      const to = await towards({}, relay.port)
      for (let round = 0; round < 50; round += 1) {
        expect(await within('an answer', outcome(await way(to, {})), ENDS_MS)).toEqual(WHOLE)
        relay.kill(how)
        await until('the relay has none', () => relay.open.size === 0)
      }
    })
  },
)

async function towards(options: ListenOptions, port: number): Promise<Towards> {
  const proxy = await startProxy(options)
  const routed = proxy.createContext(2, { upstream: 'http://127.0.0.1:{port}' })
  return { proxy, plain: proxy.createContext(1), routed, port }
}

/** A proxy that clients reach through a relay too. */
async function behindRelay(plan: Plan, port: number): Promise<Towards> {
  const to = await towards({}, port)
  const relay = await startRelay({ port: to.proxy.port() }, plan)
  return { ...to, proxy: { port: () => relay.port } }
}
