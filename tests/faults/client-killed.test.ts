// A client that goes away in the middle of an upload: the upstream must learn of it soon, and must not take what
// it received for a whole request.
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { ProxyServer } from 'tabport'
import { describe, expect, test } from 'vitest'
import { many } from '../support/many.ts'
import { type End, type Message, readMessage } from '../support/message.ts'
import { startRawOrigin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { startProxy } from '../support/proxy.ts'
import { type Ending, startRelay } from '../support/relay.ts'
import { insideTls, insideTlsHttp2 } from '../support/tls-ways.ts'
import {
  absoluteForm,
  connect,
  connectOverHttp2,
  connectRouted,
  type Exchange,
  overHttp2,
  type Towards,
  type Way,
} from '../support/ways.ts'

const TIMES = 1_000
const AT_ONCE = 20
/** A second is what is promised. The rest is for a machine that has other things to do as well. */
const SOON_MS = 3_000

const FRAMINGS = {
  'Content-Length': { fields: { 'Content-Length': '100000' }, encode: (text: string) => text },
  chunks: {
    fields: { 'Transfer-Encoding': 'chunked' },
    encode: (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`,
  },
}
type Framing = keyof typeof FRAMINGS

const BREAKS = {
  'breaks off': (exchange: Exchange) => exchange.breakOff(),
  'ends its side': ({ duplex }: Exchange) => {
    duplex.end()
  },
}

/** HTTP/2 has an end of its own, which is a legitimate one for a body of unannounced length. */
const CASES: [Framing, keyof typeof BREAKS, (way: Way) => boolean][] = [
  ['Content-Length', 'breaks off', () => true],
  ['Content-Length', 'ends its side', () => true],
  ['chunks', 'breaks off', () => true],
  ['chunks', 'ends its side', (way) => way !== overHttp2 && way !== insideTlsHttp2],
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

describe.each(WAYS)(`killed ${TIMES} times, asked by %s`, (_name, way) => {
  const cases = CASES.filter(([, , applies]) => applies(way))
  test.each(cases)('an upload told by %s, whose client %s, is aborted', async (framing, breaks) => {
    const { fields, encode } = FRAMINGS[framing]
    const { uploads, to } = await fixture()
    await many(Math.ceil(TIMES / cases.length), AT_ONCE, async (number) => {
      const exchange = await way(to, { method: 'POST', fields })
      exchange.duplex.resume()
      const sent = `upload ${number}: ${'x'.repeat((number * 37) % 3_000)}.`
      exchange.duplex.write(exchange.raw ? encode(sent) : sent)
      const upload = await within(`upload ${number}`, arrived(uploads, sent))
      BREAKS[breaks](exchange)
      await within('the upstream is told', upload.ended, SOON_MS)
      const { body, whole } = upload.received()
      expect([String(body), whole]).toEqual([sent, false])
      uploads.delete(upload)
      exchange.duplex.destroy()
    })
    await until('nothing is held', async () => {
      const { requests, tunnels, upstreamConnections } = to.proxy.stats()
      return requests + tunnels + upstreamConnections === 0
    })
  })
})

test.each(WAYS)('asked by %s: an upload that is being answered already is aborted too', async (_name, way) => {
  const { uploads, to } = await fixture('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nso far.\r\n')
  await many(100, AT_ONCE, async (number) => {
    const exchange = await way(to, { method: 'POST', fields: FRAMINGS.chunks.fields })
    const sent = `upload ${number}.`
    exchange.duplex.write(exchange.raw ? FRAMINGS.chunks.encode(sent) : sent)
    const upload = await within(sent, arrived(uploads, sent))
    await within('the answer so far', once(exchange.duplex.resume(), 'data'))
    exchange.breakOff()
    await within('the upstream is told', upload.ended, SOON_MS)
    expect(upload.received().whole).toBe(false)
    uploads.delete(upload)
  })
})

test.each([
  ['HTTP/2', 'cut', overHttp2],
  ['HTTP/2', 'reset', overHttp2],
  ['HTTP/2 over TLS in a tunnel', 'cut', insideTlsHttp2],
  ['HTTP/2 over TLS in a tunnel', 'reset', insideTlsHttp2],
] satisfies [string, Ending, Way][])(
  'a connection of %s that is lost, by a %s, takes its uploads with it',
  async (_name, how, way) => {
    const { uploads, to } = await fixture()
    const relay = await startRelay({ port: to.proxy.port() })
    const lost = { ...to, proxy: { port: () => relay.port } }
    for (let number = 0; number < 100; number += 1) {
      const { duplex } = await way(lost, { method: 'POST' })
      duplex.write('part')
    }
    await until(
      'all uploads',
      () => [...uploads].filter((upload) => upload.received().body.length === 4).length === 100,
    )
    relay.kill(how)
    await within('the upstreams are told', Promise.all([...uploads].map(({ ended }) => ended)), SOON_MS)
    expect([...uploads].filter((upload) => upload.received().whole)).toHaveLength(0)
  },
)

/** RFC 9113, section 8.5, asks for it; without HTTP/2 a tunnel is no worse. */
test.each([
  ['CONNECT', connect],
  ['CONNECT over HTTP/2', connectOverHttp2],
] satisfies [string, Way][])(
  'a tunnel by %s that breaks off is reset for the upstream, not ended',
  async (_name, way) => {
    const { uploads, to } = await fixture()
    const tunnels = await Promise.all(Array.from({ length: 100 }, () => way(to, { method: 'POST' })))
    await until(
      'all heads',
      () => [...uploads].filter(({ bytes }) => bytes.includes('\r\n\r\n')).length === tunnels.length,
    )
    for (const tunnel of tunnels) tunnel.breakOff()
    const ends = await within('the upstreams are told', Promise.all([...uploads].map(({ ended }) => ended)), SOON_MS)
    expect(ends.filter((end) => end === 'ended')).toHaveLength(0)
  },
)

/** An upload as the origin receives it. */
class Upload {
  bytes = Buffer.alloc(0)
  readonly ended: Promise<End>

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk])
    })
    this.ended = new Promise((resolve) => {
      socket.once('end', () => resolve('ended')).once('error', () => resolve('reset'))
      socket.once('close', () => resolve('reset'))
    })
    this.ended.then(() => socket.destroy())
  }

  received = () => readMessage(this.bytes, 'open')
}

/** The upload that begins so, once all of that is there. */
async function arrived(uploads: Set<Upload>, sent: string): Promise<Upload> {
  const begins = ({ body }: Pick<Message, 'body'>) => body.length === sent.length && String(body) === sent
  return until('the upload', () => [...uploads].find((upload) => begins(upload.received())))
}

async function fixture(answer = '') {
  const uploads = new Set<Upload>()
  const origin = await startRawOrigin((socket) => {
    uploads.add(new Upload(socket))
    if (answer) socket.once('data', () => socket.write(answer))
  })
  const proxy = await startProxy()
  const routed = proxy.createContext(2, { upstream: 'http://127.0.0.1:{port}' })
  const ca = proxy.certificateAuthority().pem
  const to: Towards & { proxy: ProxyServer } = { proxy, plain: proxy.createContext(1), routed, port: origin.port, ca }
  return { uploads, to }
}
