// The row about who is let in: a limit on connections, and what happens when the system has no more to give.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { connectTunnel } from '../support/clients.ts'
import { startRawOrigin, text } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { startProxy } from '../support/proxy.ts'
import { ProxyProcess } from '../support/proxy-process.ts'
import { RawClient } from '../support/raw-client.ts'
import { inAbsoluteForm, tab } from './fixture.ts'

test('row 62, accept backoff, max connections: one too many is told so, and let in when there is room', async () => {
  const { origin, ...to } = await tab(text('let in'), { limits: { connections: 2 } })
  const ask = async () => (await inAbsoluteForm(to)).response()
  const first = await RawClient.connect(to.proxy.port())
  await until('it is counted', () => to.proxy.stats().connections === 1)
  expect(await (await inAbsoluteForm(to, {}, first)).response()).toMatchObject({ status: 200, body: 'let in' })
  const second = await inAbsoluteForm(to)
  expect((await second.response()).status).toBe(200)
  const third = await RawClient.connect(to.proxy.port())
  const refused = await third.response()
  expect([refused.status, refused.all('Retry-After').length]).toEqual([503, 1])
  await third.rest()
  expect(origin.seen).toHaveLength(2)
  second.socket.destroy()
  await until('there is room', () => to.proxy.stats().connections === 1)
  expect(await ask()).toMatchObject({ status: 200, body: 'let in' })
})

test('row 62, accept backoff, max connections: a tunnel is a connection', async () => {
  const origin = await startRawOrigin((socket) => socket.pipe(socket))
  const proxy = await startProxy({ limits: { connections: 1 } })
  const { status } = await connectTunnel(proxy, proxy.createContext(1), `127.0.0.1:${origin.port}`)
  expect(status).toBe(200)
  expect((await (await RawClient.connect(proxy.port())).head()).status).toBe(503)
})

const DESCRIPTORS = 64
const OBSERVED_MS = 500

test('row 62, accept backoff, max connections: without a descriptor left the processor rests', async () => {
  const { origin } = await tab(text('served'))
  const proxy = await ProxyProcess.start({ descriptors: DESCRIPTORS })
  const context = await proxy.createContext(1, { upstream: `http://127.18.0.1:{port}` })
  const crowd = await Promise.all(Array.from({ length: 2 * DESCRIPTORS }, () => RawClient.connect(proxy.port())))
  await until('no descriptor is left', () => proxy.descriptors() >= DESCRIPTORS - 1)
  const [used, began] = [proxy.processorTime(), performance.now()]
  await sleep(OBSERVED_MS)
  // A share, so that it holds on a slow machine too: a loop would take all of one core.
  expect(((proxy.processorTime() - used) * 1_000) / (performance.now() - began)).toBeLessThan(0.3)
  for (const { socket } of crowd) socket.destroy()
  const ask = async () => (await inAbsoluteForm({ proxy, context, authority: `localhost:${origin.port}` })).response()
  // As long as the crowd's descriptors are not closed, there is none to dial with: 502.
  await until('it serves again', async () => (await ask()).body === 'served', 1_000)
})
