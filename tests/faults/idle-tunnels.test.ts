// Two thousand tunnels in which nothing moves: each costs two descriptors and little memory, and each is alive when
// it is used at last. (More of them, and what one costs exactly, is for the benchmarks to say.)
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { many } from '../support/many.ts'
import { startRawOrigin } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { ProxyProcess } from '../support/proxy-process.ts'
import { openTunnel } from '../support/ways.ts'

const TUNNELS = 2_000
const AT_ONCE = 64
const EACH_KIB = 18

test(`${TUNNELS} idle tunnels are all alive, and nothing is left of them`, async () => {
  const origin = await startRawOrigin((socket) => socket.pipe(socket))
  const proxy = await ProxyProcess.start()
  const context = await proxy.createContext(1)
  const [descriptors, memory] = [proxy.descriptors(), await proxy.memory()]

  const tunnels: Socket[] = []
  const open = async () => tunnels.push(await openTunnel(proxy.port(), context, `127.0.0.1:${origin.port}`))
  await many(TUNNELS, AT_ONCE, open)
  expect(await proxy.stats()).toMatchObject({ tunnels: TUNNELS })
  expect(proxy.descriptors()).toBeLessThanOrEqual(descriptors + 2 * TUNNELS)
  expect((((await proxy.memory()) - memory) * 1024) / TUNNELS).toBeLessThan(EACH_KIB)

  const echoed = tunnels.map(echo)
  await until('every echo', () => echoed.every((text, number) => text() === `tunnel ${number}`), 30_000)
  for (const tunnel of tunnels) tunnel.resetAndDestroy()
  await proxy.returnsTo(descriptors)
})

function echo(tunnel: Socket, number: number): () => string {
  let text = ''
  tunnel.on('data', (bytes) => {
    text += bytes
  })
  tunnel.resume().write(`tunnel ${number}`)
  return () => text
}
