// Many clients that take their time, as slowhttptest's modes have them: slow heads (-H), slow bodies (-B) and
// slow reading (-X). Others are served meanwhile, who is too slow is let go where a limit says so, and nothing of
// them is left.
import type { Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Source } from '../support/bulk.ts'
import { many } from '../support/many.ts'
import { type Answer, startOrigin, startRawOrigin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { authorization } from '../support/proxy.ts'
import { ProxyProcess } from '../support/proxy-process.ts'
import { absoluteForm, open, outcome, type Towards } from '../support/ways.ts'

const CLIENTS = 200
/** Fewer of those that do not read: the system keeps up to 20 MiB for each, which is not the proxy's. */
const READERS = 20
const GROWTH_MIB = 16
const PACE_MS = 50
const LIMIT_MS = 1_000
const OTHERS = 100
const ENDS_MS = 20_000

describe('slow heads', () => {
  test('are given up at the limit, though something comes all the time', async () => {
    const { proxy, to, descriptors } = await fixture({ requestHead: LIMIT_MS })
    const clients = await connections(to)
    const head = `GET http://127.0.0.1:${to.port}/ HTTP/1.1\r\nHost: 127.0.0.1:${to.port}\r\n${authorization(to.plain)}`
    for (const client of clients) client.write(head)
    slowly(clients, (number) => (number === 0 ? 'X-Slow: ' : 'x'))
    await servesOthers(to)
    await until('all are let go', () => clients.every(({ destroyed }) => destroyed), ENDS_MS)
    await proxy.returnsTo(descriptors)
  })
})

describe('slow bodies', () => {
  test('go through while they move', async () => {
    const { proxy, to, descriptors } = await fixture({ idle: LIMIT_MS, requestHead: LIMIT_MS })
    const clients = await connections(to)
    const [pieces, line] = [2 * (LIMIT_MS / PACE_MS), 'one line of many\n']
    for (const client of clients) client.write(post(to, pieces * line.length))
    const answers = clients.map((duplex) => outcome({ duplex, raw: true }))
    slowly(clients, (number) => (number < pieces ? line : undefined))
    await servesOthers(to)
    const seen = await within('all answers', Promise.all(answers), ENDS_MS)
    expect(seen.filter(({ status, whole }) => status === 200 && whole)).toHaveLength(CLIENTS)
    await proxy.returnsTo(descriptors)
  })

  test('that stop are given up at the idle limit', async () => {
    const { proxy, to, descriptors } = await fixture({ idle: LIMIT_MS })
    const clients = await connections(to)
    for (const client of clients) client.write(`${post(to, 1_000)}a beginning`)
    await servesOthers(to)
    await until('all are let go', () => clients.every(({ destroyed }) => destroyed), ENDS_MS)
    await proxy.returnsTo(descriptors)
  })
})

describe('slow reading', () => {
  test('holds up nobody else, and costs little memory', async () => {
    const { proxy, to, descriptors, bulk } = await fixture({})
    const base = await proxy.watchMemory()
    const clients = await connections(to, READERS)
    for (const client of clients) client.pause().write(get(to, bulk))
    await until('all are being answered', async () => (await proxy.stats()).requests === READERS)
    await servesOthers(to)
    expect(proxy.peakMemory() - base).toBeLessThan(GROWTH_MIB)
    for (const client of clients) client.resetAndDestroy()
    await proxy.returnsTo(descriptors)
  })

  test('that stops is given up at the idle limit', async () => {
    const { proxy, to, descriptors, bulk } = await fixture({ idle: LIMIT_MS })
    const clients = await connections(to, READERS)
    for (const client of clients) client.pause().write(get(to, bulk))
    await until('all are being answered', async () => (await proxy.stats()).total.requests === READERS)
    await servesOthers(to)
    await proxy.returnsTo(descriptors, ENDS_MS)
  })
})

/** And keeps no connection, so that none is in the proxy's pool when descriptors are counted. */
const answerWhenAllIsThere: Answer = (request, response) => {
  request.resume().once('end', () => response.setHeader('Connection', 'close').end('served'))
}

async function fixture(timeouts: { requestHead?: number; idle?: number }) {
  const origin = await startOrigin(answerWhenAllIsThere)
  const endless = await startRawOrigin((socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      new Source(Number.MAX_SAFE_INTEGER).pipe(socket)
    })
  })
  const proxy = await ProxyProcess.start({ options: { timeouts } })
  const plain = await proxy.createContext(1)
  const to: Towards = { proxy, plain, routed: plain, port: origin.port }
  return { proxy, to, descriptors: proxy.descriptors(), bulk: endless.port }
}

async function connections({ proxy }: Towards, count = CLIENTS): Promise<Socket[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => open(proxy.port())))
  for (const client of clients) {
    client.once('end', () => client.destroy())
    client.resume()
  }
  return clients
}

const fields = ({ plain }: Towards, port: number) => `Host: 127.0.0.1:${port}\r\n${authorization(plain)}`

const get = (to: Towards, port: number) => `GET http://127.0.0.1:${port}/ HTTP/1.1\r\n${fields(to, port)}\r\n`

const post = (to: Towards, length: number) =>
  `POST http://127.0.0.1:${to.port}/ HTTP/1.1\r\n${fields(to, to.port)}Connection: close\r\nContent-Length: ${length}\r\n\r\n`

/** Every client says one thing at a time, until there is nothing left to say. */
function slowly(clients: Socket[], say: (number: number) => string | undefined) {
  let number = 0
  const timer = setInterval(() => {
    const said = say(number)
    number += 1
    if (said === undefined) return clearInterval(timer)
    for (const client of clients) if (!client.destroyed) client.write(said)
  }, PACE_MS)
  onTestFinished(() => clearInterval(timer))
}

async function servesOthers(to: Towards) {
  await many(OTHERS, 10, async () => {
    const answer = await within('an answer to others', outcome(await absoluteForm(to, {})), ENDS_MS)
    expect(answer).toMatchObject({ status: 200, whole: true })
  })
}
