// The row about streaming: a GiB in each direction leaves nothing of itself behind in the proxy. What it is like
// when a peer stops in the middle is in `tests/faults`.
import { once } from 'node:events'
import type { ProxyServer } from 'tabport'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { Check, Source } from '../support/bulk.ts'
import { undiciAgent } from '../support/clients.ts'
import { startOrigin } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { ProxyProcess } from '../support/proxy-process.ts'

const GIB = 1024 ** 3
const GROWTH_MIB = 16
const ARRIVES_MS = 60_000

test.each([
  ['in absolute form', false],
  ['inside CONNECT', true],
])(
  'row 34, streaming both ways, backpressure: 1 GiB up and down, %s, in bounded memory',
  async (_form, tunnel) => {
    const [up, down] = [new Check(), new Check()]
    const origin = await startOrigin((asked, response) => {
      const source = new Source(GIB)
      // Together: undici stops sending once it has the whole answer.
      Promise.all([once(asked, 'end'), once(source, 'end')]).then(() => response.end())
      asked.on('data', (bytes) => up.take(bytes))
      source.pipe(response, { end: false })
    })
    const proxy = await ProxyProcess.start()
    const context = await proxy.createContext(1, { upstream: 'http://127.0.0.1:{port}' })
    const dispatcher = undiciAgent(proxy as unknown as ProxyServer, context, tunnel)
    const base = await proxy.watchMemory()
    const post = { method: 'POST', body: new Source(GIB), dispatcher } as const
    const { statusCode, body } = await request(`http://localhost:${origin.port}/`, post)
    body.on('data', (bytes) => down.take(bytes))
    await until('every byte', () => up.received === GIB && down.received === GIB, ARRIVES_MS)
    expect([statusCode, up.intact, down.intact]).toEqual([200, true, true])
    expect(proxy.peakMemory() - base).toBeLessThan(GROWTH_MIB)
  },
  70_000,
)
