// An upstream that dies in the middle of a body, at any byte of it: whatever way the client asked, it must see
// that the body is not whole.
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { serverCertificate } from '../support/certificates.ts'
import { many } from '../support/many.ts'
import { type Message, readMessage } from '../support/message.ts'
import { startRawOrigin, startTlsOrigin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { authorization, previewTo, startProxy } from '../support/proxy.ts'
import { type Ending, startRelay } from '../support/relay.ts'
import { insideTls, insideTlsHttp2 } from '../support/tls-ways.ts'
import {
  absoluteForm,
  connect,
  connectOverHttp2,
  connectRouted,
  http10,
  open,
  outcome,
  overHttp2,
  read,
  type Towards,
  type Way,
} from '../support/ways.ts'

const TIMES = 1_000
const AT_ONCE = 20
const END_MS = 20_000
const BODY = Array.from({ length: 64 }, (_, line) => `line ${line} of what was asked for\n`).join('')

/** How a body's end is told (RFC 9112, section 6.3). */
const FRAMINGS = {
  'Content-Length': `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
  chunks: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(BODY)}`,
  'the end of the connection': `HTTP/1.1 200 OK\r\n\r\n${BODY}`,
}
type Framing = keyof typeof FRAMINGS

/**
 * Where nothing but its connection's end tells a body's end, an orderly one is legitimate: only a reset truncates. A
 * tunnel has to pass it on as one (RFC 9113, section 8.5, for HTTP/2).
 */
const KILLS: [Framing, Ending][] = [
  ['Content-Length', 'cut'],
  ['Content-Length', 'reset'],
  ['chunks', 'cut'],
  ['chunks', 'reset'],
  ['the end of the connection', 'reset'],
]

const WAYS: [string, Way][] = [
  ['absolute form', absoluteForm],
  ['HTTP/2', overHttp2],
  ['CONNECT', connect],
  ['CONNECT to a routed name', connectRouted],
  ['CONNECT over HTTP/2', connectOverHttp2],
  ['TLS in a tunnel', insideTls],
  ['HTTP/2 over TLS in a tunnel', insideTlsHttp2],
]
/** To which chunks mean nothing, so that whatever is not of a known length ends with the connection. */
const OLD: [string, Way] = ['HTTP/1.0', http10]

/** Where a test breaks a response for the time of that number: anywhere in its body. */
const breakAt = (response: string, number: number) => {
  const bodyAt = response.indexOf('\r\n\r\n') + 4
  return bodyAt + ((number * 37) % (response.length - bodyAt))
}

describe.each(WAYS)(`with bytes in flight, ${TIMES / 2} times, asked by %s`, (_name, way) => {
  const kills = KILLS.filter(([framing]) => framing !== 'the end of the connection')

  test.each(kills)('a body told by %s, and a %s, are never a whole response', async (framing, how) => {
    const response = FRAMINGS[framing]
    const origin = await startRawOrigin((socket) => socket.on('data', () => socket.write(response)))
    const relay = await startRelay(origin, (number) => ({ down: { after: breakAt(response, number), by: how } }))
    const to = await towards(relay.port)
    const seen: Message[] = []
    await many(TIMES / 2 / kills.length, AT_ONCE, async () => {
      seen.push(await within('an end', outcome(await way(to, {})), END_MS))
    })
    expect(relay.connections).toBe(seen.length)
    expectTruncated(seen)
  })
})

describe.each([...WAYS, OLD])(`after some silence, ${TIMES / 2} times, asked by %s`, (_name, way) => {
  test.each(KILLS)('a body told by %s, and a %s, are just what had arrived', async (framing, how) => {
    const response = FRAMINGS[framing]
    const origin = await startRawOrigin((socket) => socket.on('data', () => socket.write(response)))
    let round = 0
    const relay = await startRelay(origin, () => ({ down: { after: breakAt(response, round), by: 'stall' } }))
    const to = await towards(relay.port)
    for (; round < TIMES / 2 / KILLS.length / AT_ONCE; round += 1) {
      const { body } = readMessage(Buffer.from(response.slice(0, breakAt(response, round))), 'open')
      const asked = await Promise.all(Array.from({ length: AT_ONCE }, async () => read(await way(to, {}))))
      const isThere = ({ status, body: { length } }: Message) => status === 200 && length === body.length
      await until('what is not held back', () => asked.every(({ soFar }) => isThere(soFar())), END_MS)
      relay.kill(how)
      const seen = await within('all ends', Promise.all(asked.map(({ done }) => done)), END_MS)
      expect(tally(seen)).toEqual({ 'part of a 200': AT_ONCE })
      expect(seen.filter((message) => !message.body.equals(body))).toEqual([])
    }
  })
})

describe('behind TLS, cut without a close_notify', () => {
  test.each(['Content-Length', 'chunks', 'the end of the connection'] as const)(
    'a body told by %s',
    async (framing) => {
      const part = FRAMINGS[framing].slice(0, -100)
      await killBehindTls(await startTls((socket) => socket.on('data', () => socket.write(part))))
    },
  )

  test('a stream of HTTP/2', async () => {
    const origin = await startTlsOrigin((_request, response) => response.write(BODY.slice(0, -100)), ['h2'])
    await killBehindTls(origin.port)
  })

  test('a stream of HTTP/2 that is reset, and its connection lives on', async () => {
    const origin = await startTlsOrigin(
      (request, response) => {
        response.write(BODY.slice(0, -100))
        const { stream } = request as unknown as http2.Http2ServerRequest
        setImmediate(() => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR))
      },
      ['h2'],
    )
    const { ask } = await behindTls(origin.port)
    const seen = await Promise.all(
      Array.from({ length: 100 }, async () => within('an end', outcome(await ask()), END_MS)),
    )
    expect(tally(seen)).not.toHaveProperty('a whole 200')
    expect(origin.connections).toBe(1)
  })
})

/** Kills connections whose clients have received a part of the body. */
async function killBehindTls(port: number) {
  const { ask, relay } = await behindTls(port)
  for (let round = 0; round < 5; round += 1) {
    const asked = await Promise.all(Array.from({ length: 20 }, async () => read(await ask())))
    await until('a part of every body', () => asked.every(({ soFar }) => soFar().body.length > BODY.length / 2))
    relay.kill('cut')
    expectTruncated(await within('all ends', Promise.all(asked.map(({ done }) => done)), END_MS))
  }
}

async function towards(port: number): Promise<Towards> {
  const proxy = await startProxy()
  const routed = proxy.createContext(2, { upstream: 'http://127.0.0.1:{port}' })
  return { proxy, plain: proxy.createContext(1), routed, port, ca: proxy.certificateAuthority().pem }
}

async function behindTls(port: number) {
  const relay = await startRelay({ port })
  const proxy = await startProxy(previewTo(relay.port, 'ws'))
  const context = proxy.createContext(1, { upstream: 'https://ws.preview.test' })
  const request = `GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n${authorization(context)}\r\n`
  const ask = async () => {
    const duplex = await open(proxy.port())
    duplex.write(request)
    return { duplex, raw: true }
  }
  return { relay, ask }
}

async function startTls(onSocket: (socket: tls.TLSSocket) => void): Promise<number> {
  const server = tls.createServer({ ...serverCertificate, ALPNProtocols: ['http/1.1'] }, (socket) => {
    socket.on('error', () => {})
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/**
 * A part of the response, or none of it: a stream that is reset at once may lose its head too. Where the reset
 * overtakes the head, the proxy has an error of its own to tell.
 */
function expectTruncated(seen: Message[]) {
  const { 'part of a 200': _part, 'part of a 0': _nothing, 'a whole 502': _told, ...others } = tally(seen)
  expect(others).toEqual({})
  const begun = seen.filter(({ status }) => status === 200)
  expect(begun.filter(({ body }) => !BODY.startsWith(String(body)))).toEqual([])
}

function tally(seen: Message[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, whole } of seen) {
    const key = `${whole ? 'a whole' : 'part of a'} ${status}`
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

function chunked(body: string): string {
  const pieces = body.match(/.{1,100}/gs) ?? []
  return `${pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')}0\r\n\r\n`
}
