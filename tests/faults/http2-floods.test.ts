// Rows 23 to 25 of the security table, by their cost: whatever a client of HTTP/2 throws at it, the proxy's process
// grows by less than 16 MiB, or by what the requests that it holds open cost, and others are served meanwhile. What it
// is told is for the engine's tests to say.
import type { Socket } from 'node:net'
import type { ProxyContextInfo } from 'tabport'
import { expect, test } from 'vitest'
import { curl } from '../support/clients.ts'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { basic } from '../support/proxy.ts'
import { ProxyProcess } from '../support/proxy-process.ts'
import { open } from '../support/ways.ts'

const GROWTH_MIB = 16
const STILL_MS = 500
const MANY = 100_000
const BATCH = 1_000
const LARGE = 'x'.repeat(1 << 20)
const [DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION] = [0, 1, 3, 4, 6, 8, 9]
const [END_STREAM, END_HEADERS] = [1, 4]
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

function frame(kind: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(kind, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A field whose name and value are literals, and which the decoder does not keep (RFC 7541, section 6.2.2). */
const literal = (name: string, value: string) =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)])

const streams = (count: number) => Array.from({ length: count }, (_, number) => 2 * number + 1)

/** A flood that leaves nothing open has left nothing behind. */
const isLeft = (requests: number, held: number) => (held === 0 ? requests === 0 : requests >= held)

interface Flood {
  /** The settings of the client's preface. */
  settings?: Buffer
  /** How many requests it leaves open, at least. */
  open?: number
  /** What these may cost, with the upstream connections that they hold. */
  growthMib?: number
  pieces(block: Buffer): Iterable<Buffer>
}

/** A thousand requests whose windows are of this size. */
function keepsOpen(window: number): Flood {
  return {
    settings: Buffer.from([0, 4, 0, 0, 0, window]),
    open: 1_000,
    growthMib: 48,
    *pieces(block) {
      for (const stream of streams(1_000)) yield frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
    },
  }
}

const FLOODS: Record<string, Flood> = {
  'row 23, rapid reset': {
    *pieces(block) {
      const cancel = Buffer.from([0, 0, 0, 8])
      for (const stream of streams(MANY)) {
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
        yield frame(RST_STREAM, 0, stream, cancel)
      }
    },
  },
  'row 24, a field block that does not end': {
    *pieces(block) {
      yield frame(HEADERS, END_STREAM, 1, block)
      for (let sent = 0; sent < 4_000; sent += 1) yield frame(CONTINUATION, 0, 1, Buffer.alloc(16_384, 0x90))
    },
  },
  'row 25, SETTINGS whose acknowledgements nobody reads': {
    *pieces() {
      const settings = frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 1]))
      for (let sent = 0; sent < 20 * MANY; sent += 1) yield settings
    },
  },
  'row 25, PING whose acknowledgements nobody reads': {
    *pieces() {
      const ping = frame(PING, 0, 0, Buffer.from('and more'))
      for (let sent = 0; sent < 20 * MANY; sent += 1) yield ping
    },
  },
  'row 25, DATA without data': {
    *pieces(block) {
      yield frame(HEADERS, END_HEADERS, 1, block)
      for (let sent = 0; sent < MANY; sent += 1) yield frame(DATA, 0, 1, Buffer.alloc(0))
    },
  },
  'row 25, field blocks that swell': {
    *pieces(block) {
      // A field of 4 kB that the decoder keeps, and then names it, an octet each time.
      const kept = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0x81, 0x1e]), Buffer.alloc(3968, 0x79)])
      for (const stream of streams(1_000)) {
        const swollen = Buffer.concat([block, kept, Buffer.alloc(25, 0xbe)])
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, swollen)
      }
    },
  },
  'row 25, windows that stay shut': keepsOpen(0),
  // What is read for a window is more than one octet, and kept until the rest of it opens.
  'row 25, windows of one octet': { ...keepsOpen(1), growthMib: 96 },
  'row 25, windows as wide as can be, and nobody reads': {
    ...keepsOpen(0),
    // The first responses fit into what the system holds of them.
    open: 900,
    settings: Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]),
    *pieces(block) {
      yield frame(WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 0, 0, 0]))
      yield* keepsOpen(0).pieces(block)
    },
    growthMib: 128,
  },
}

test.each(Object.entries(FLOODS))('%s', async (_name, flood) => {
  const { settings = Buffer.alloc(0), open: held = 0, growthMib = GROWTH_MIB, pieces } = flood
  const { proxy, context, served } = await setUp()
  await served()
  const base = await proxy.watchMemory()
  const socket = await open(proxy.port())
  socket.write(Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0, settings)]))
  await Promise.all([pour(socket, pieces(requestOf(context))), served()])
  await until('what it leaves', async () => isLeft((await proxy.stats()).requests, held))
  await served()
  expect(proxy.peakMemory() - base).toBeLessThan(growthMib)
})

test('row 25, tunnels whose windows take one octet, from upstreams that pour', async () => {
  const TUNNELS = 200
  const poured = Buffer.alloc(4 << 20)
  const source = await startRawOrigin((socket) => {
    socket.on('error', () => {}).write(poured)
  })
  const { proxy, served } = await setUp()
  const block = fieldBlock(await proxy.createContext(2), {
    ':method': 'CONNECT',
    ':authority': `127.0.0.1:${source.port}`,
  })
  await served()
  const base = await proxy.watchMemory()
  const before = (await proxy.stats()).total.bytesDown
  const socket = await open(proxy.port())
  socket.write(Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 1]))]))
  socket.write(Buffer.concat(streams(TUNNELS).map((stream) => frame(HEADERS, END_HEADERS, stream, block))))
  await until('all tunnels', async () => (await proxy.stats()).tunnels === TUNNELS)
  const taken = async () => (await proxy.stats()).total.bytesDown - before
  await until('as much as the windows take', async () => (await taken()) === TUNNELS)
  await new Promise((resolve) => setTimeout(resolve, STILL_MS))
  expect(await taken()).toBe(TUNNELS)
  await served()
  expect(proxy.peakMemory() - base).toBeLessThan(64)
})

/** A proxy in a process of its own; `served` is another client, which is. */
async function setUp() {
  const origin = await startOrigin((request, response) => {
    response.end(request.url === '/large' ? LARGE : 'ok')
  })
  const proxy = await ProxyProcess.start()
  const context = await proxy.createContext(1, { upstream: `http://127.0.0.1:${origin.port}` })
  const served = async () => {
    const answer = await curl('-x', `http://127.0.0.1:${proxy.port()}`, '-U', userOf(context), 'http://localhost:3000/')
    expect(answer).toBe('ok')
  }
  return { proxy, context, served }
}

const userOf = ({ username, password }: ProxyContextInfo) => `${username}:${password}`

/** The field block of a request for what is large. */
function requestOf(context: ProxyContextInfo): Buffer {
  return fieldBlock(context, { ':method': 'GET', ':scheme': 'http', ':authority': 'localhost:3000', ':path': '/large' })
}

function fieldBlock(context: ProxyContextInfo, fields: Record<string, string>): Buffer {
  const all = Object.entries({ ...fields, 'proxy-authorization': basic(context) })
  return Buffer.concat(all.map(([name, value]) => literal(name, value)))
}

/** Writes until there is nothing more, or the other side closes, or it takes nothing for a while. */
async function pour(socket: Socket, pieces: Iterable<Buffer>): Promise<void> {
  const closed = new Promise((resolve) => socket.once('close', resolve))
  let batch: Buffer[] = []
  for (const piece of pieces) {
    batch.push(piece)
    if (batch.length < BATCH) continue
    const flows = socket.write(Buffer.concat(batch))
    batch = []
    if (flows) continue
    const drained = new Promise((resolve) => socket.once('drain', resolve))
    const still = new Promise((resolve) => setTimeout(resolve, STILL_MS, 'still'))
    const next = await Promise.race([drained, closed, still])
    if (next === 'still' || socket.destroyed) return
  }
  socket.write(Buffer.concat(batch))
}
