// stop() while a thousand streams of all kinds are alive: it ends, they end, none of them as if it were whole, and
// nothing of the proxy is left in its process.
import net from 'node:net'
import { expect, test } from 'vitest'
import type { Message } from '../support/message.ts'
import { startRawOrigin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { ProxyProcess } from '../support/proxy-process.ts'
import {
  absoluteForm,
  connect,
  connectOverHttp2,
  connectRouted,
  type Exchange,
  outcome,
  overHttp2,
  type Towards,
  type Way,
} from '../support/ways.ts'

const WAYS: Way[] = [absoluteForm, connect, connectRouted, overHttp2, connectOverHttp2]
const EACH = 200
/** About a second is what is promised. The rest is for a machine that has other things to do as well. */
const SOON_MS = 5_000

const ZERO = { contexts: 0, connections: 0, requests: 0, tunnels: 0, upstreamConnections: 0 }

test(`stop() with ${WAYS.length * EACH} live streams`, async () => {
  const origin = await startRawOrigin((socket) => {
    socket.once('end', () => socket.end())
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nso far.\r\n'))
  })
  const proxy = await ProxyProcess.idle()
  const base = proxy.descriptors()
  await proxy.listen()
  const plain = await proxy.createContext(1)
  const routed = await proxy.createContext(2, { upstream: 'http://127.0.0.1:{port}' })
  const to: Towards = { proxy, plain, routed, port: origin.port }

  let begun = 0
  const live: Exchange[] = []
  const outcomes: Promise<Message>[] = []
  for (const way of WAYS) {
    // Half of them are sending as well.
    for (let number = 0; number < EACH; number += 1) {
      const exchange = await way(to, number % 2 ? {} : { method: 'POST', fields: { 'Content-Length': '100' } })
      if (number % 2 === 0) exchange.duplex.write('so far')
      exchange.duplex.on('data', (bytes: Buffer) => {
        if (bytes.includes('so far.')) begun += 1
      })
      live.push(exchange)
      outcomes.push(outcome(exchange))
    }
  }
  await until('a part of every answer', () => begun === live.length, SOON_MS)

  await within('stop()', proxy.stop(), SOON_MS)
  const ended = await within('every end', Promise.all(outcomes), SOON_MS)
  expect(ended.filter(({ whole }) => whole)).toEqual([])
  expect(ended.filter(({ status }) => status === 200)).toHaveLength(live.length)
  await until('the origin is left alone', () => origin.sockets.size === 0, SOON_MS)
  expect(await proxy.stats()).toMatchObject(ZERO)
  await proxy.returnsTo(base)
  await within('a second stop()', proxy.stop(), SOON_MS)
  await expect(refused(proxy.port())).resolves.toBe('ECONNREFUSED')
})

async function refused(port: number): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => resolve('connected'))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
  })
}
