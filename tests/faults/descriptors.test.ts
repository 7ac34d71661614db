// Too few descriptors for all who come: the process lives, does not spin, and serves again as soon as some are
// given back.
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { authorization } from '../support/proxy.ts'
import { ProxyProcess } from '../support/proxy-process.ts'
import { absoluteForm, outcome } from '../support/ways.ts'

/** Node and a proxy with nothing to do hold 28 of them: room for 36 connections, of which a tunnel takes two. */
const DESCRIPTORS = 64
const CLIENTS = 200
/** A second is what is promised. The rest is for a machine that has other things to do as well. */
const SOON_MS = 5_000
const OBSERVED_MS = 1_000

const CROWDS: [string, (proxy: ProxyProcess) => Promise<string>][] = [
  ['say nothing', async () => ''],
  ['open tunnels', openTunnels],
  ['ask for what does not come', askInVain],
]

test.each(CROWDS)(`with ${DESCRIPTORS} descriptors and ${CLIENTS} clients that %s`, async (_what, sayWhat) => {
  const origin = await startOrigin()
  const proxy = await ProxyProcess.start({ descriptors: DESCRIPTORS })
  const to = { proxy, plain: await proxy.createContext(1), routed: await proxy.createContext(2), port: origin.port }
  const ask = async () => outcome(await absoluteForm(to, {}))
  expect(await ask()).toMatchObject({ status: 200, whole: true })

  const said = await sayWhat(proxy)
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => join(proxy, said)))
  await until('no descriptor is left', () => proxy.descriptors() >= DESCRIPTORS - 1)
  expect(await processorShare(proxy)).toBeLessThan(0.3)
  expect(await proxy.isAlive()).toBe(true)

  for (const client of clients) client.destroy()
  // The first to ask may come before the descriptors are back: that is told, not left hanging.
  const statuses: number[] = []
  const isServed = async () => {
    const { status } = await within('an answer', ask(), SOON_MS)
    statuses.push(status)
    return status === 200
  }
  await until('others are served again', isServed, SOON_MS)
  expect(statuses.slice(0, -1).filter((status) => status !== 502)).toEqual([])
})

async function join(proxy: ProxyProcess, said: string): Promise<Socket> {
  const socket = net.connect({ port: proxy.port(), host: '127.0.0.1' })
  onTestFinished(() => {
    socket.destroy()
  })
  socket.on('error', () => {}).resume()
  await once(socket, 'connect')
  socket.write(said)
  return socket
}

/** Says nothing, and ends when the other side does. */
async function silentOrigin(): Promise<string> {
  const { port } = await startRawOrigin((socket) => socket.resume().once('end', () => socket.end()))
  return `127.0.0.1:${port}`
}

async function openTunnels(proxy: ProxyProcess): Promise<string> {
  const authority = await silentOrigin()
  const field = authorization(await proxy.createContext(3))
  return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${field}\r\n`
}

async function askInVain(proxy: ProxyProcess): Promise<string> {
  const authority = await silentOrigin()
  const field = authorization(await proxy.createContext(3))
  return `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n${field}\r\n`
}

/** How much of one core the process used while it was observed: a share, so it holds on a slow machine too. */
async function processorShare(proxy: ProxyProcess): Promise<number> {
  const [used, began] = [proxy.processorTime(), performance.now()]
  await sleep(OBSERVED_MS)
  return ((proxy.processorTime() - used) * 1_000) / (performance.now() - began)
}
