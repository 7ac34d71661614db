// What passes through is not kept: with 256 MiB on the way and a peer that stops in the middle, the proxy's
// process grows by less than 16 MiB, the sender is held back, and every byte arrives in the end. (The figure it
// stands for is 1 GiB; a quarter shows the same and is what there is time for in CI.)
import type { Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { Check, Source } from '../support/bulk.ts'
import { startRawOrigin } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { ProxyProcess } from '../support/proxy-process.ts'
import {
  absoluteForm,
  connect,
  connectOverHttp2,
  connectRouted,
  type Exchange,
  overHttp2,
  type Way,
} from '../support/ways.ts'

const MIB = 1024 * 1024
const TOTAL = 256 * MIB
const BEFORE_STOPPING = 8 * MIB
const GROWTH_MIB = 16
const STILL_MS = 500
const ARRIVES_MS = 50_000
/** The end of the connection would be one of the exchange. */
const STAYS_OPEN = { end: false }
const CONTENT_LENGTH = { 'Content-Length': String(TOTAL) }

const WAYS: [string, Way][] = [
  ['absolute form', absoluteForm],
  ['HTTP/2', overHttp2],
  ['CONNECT', connect],
  ['CONNECT to a routed name', connectRouted],
  ['CONNECT over HTTP/2', connectOverHttp2],
]

describe.each(WAYS)('asked by %s', (_name, way) => {
  test('a client that stops reading', async () => {
    const source = new Source(TOTAL)
    const origin = await startRawOrigin((socket) => {
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${TOTAL}\r\n\r\n`)
        source.pipe(socket, STAYS_OPEN)
      })
    })
    const { proxy, to } = await fixture(origin.port)
    const exchange = await way(to, {})
    await stopsAndGoesOn(proxy, source, receive(exchange))
  })

  test('an origin that stops reading', async () => {
    const source = new Source(TOTAL)
    const received: Receiver[] = []
    const origin = await startRawOrigin((socket) => received.push(receive({ duplex: socket, raw: true })))
    const { proxy, to } = await fixture(origin.port)
    const { duplex } = await way(to, { method: 'POST', fields: CONTENT_LENGTH })
    source.pipe(duplex, STAYS_OPEN)
    const receiver = await until('the upload', () => received[0])
    await stopsAndGoesOn(proxy, source, receiver)
  })
})

test('both ways at once, through a tunnel', async () => {
  const [up, down] = [new Source(TOTAL), new Source(TOTAL)]
  const received: Receiver[] = []
  const origin = await startRawOrigin((socket) => {
    received.push(receive({ duplex: socket, raw: true }))
    down.pipe(socket, STAYS_OPEN)
  })
  const { proxy, to } = await fixture(origin.port)
  const base = await proxy.watchMemory()
  const { duplex } = await connect(to, { method: 'POST', fields: CONTENT_LENGTH })
  const back = receive({ duplex, raw: false })
  up.pipe(duplex, STAYS_OPEN)
  const there = await until('the upload', () => received[0])
  const arrived = ({ check }: Receiver) => check.received === TOTAL
  await until('all bytes', () => arrived(there) && arrived(back), ARRIVES_MS)
  expect([there.check.intact, back.check.intact]).toEqual([true, true])
  expect(proxy.peakMemory() - base).toBeLessThan(GROWTH_MIB)
})

interface Receiver {
  duplex: Duplex
  check: Check
}

async function stopsAndGoesOn(proxy: ProxyProcess, source: Source, { duplex, check }: Receiver) {
  const base = await proxy.watchMemory()
  await until('the first bytes', () => check.received > BEFORE_STOPPING)
  duplex.pause()
  await untilStill(() => source.made)
  expect(source.made).toBeLessThan(TOTAL)
  duplex.resume()
  await until('the last byte', () => check.received === TOTAL, ARRIVES_MS)
  expect(check.intact).toBe(true)
  expect(proxy.peakMemory() - base).toBeLessThan(GROWTH_MIB)
}

/** Compares what follows the head. */
function receive({ duplex, raw }: Pick<Exchange, 'duplex' | 'raw'>): Receiver {
  const check = new Check()
  let head = raw ? '' : undefined
  duplex.on('data', (bytes: Buffer) => {
    if (head === undefined) return check.take(bytes)
    const before = head.length
    head += bytes.toString('latin1')
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    head = undefined
    check.take(bytes.subarray(end + 4 - before))
  })
  duplex.resume()
  return { duplex, check }
}

/** Nothing has moved for a while: the sender is held back. */
async function untilStill(moved: () => number) {
  let last = moved()
  let since = Date.now()
  await until(
    'the sender is held back',
    () => {
      if (moved() !== last) {
        last = moved()
        since = Date.now()
      }
      return Date.now() - since > STILL_MS
    },
    20_000,
  )
}

async function fixture(port: number) {
  const proxy = await ProxyProcess.start()
  const plain = await proxy.createContext(1)
  const routed = await proxy.createContext(2, { upstream: 'http://127.0.0.1:{port}' })
  return { proxy, to: { proxy, plain, routed, port } }
}
