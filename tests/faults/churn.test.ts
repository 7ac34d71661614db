// What comes and goes leaves nothing behind: descriptors return to where they were, and memory, once it has grown
// to what so much traffic needs, grows no further.
import net, { type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { many } from '../support/many.ts'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import { within } from '../support/poll.ts'
import { authorization } from '../support/proxy.ts'
import { ProxyProcess } from '../support/proxy-process.ts'
import { absoluteForm, outcome } from '../support/ways.ts'

const AT_ONCE = 64
/** A hundred bytes kept of each tunnel would be more. */
const GROWTH_MIB = 4
const ANSWER_MS = 20_000

describe('50,000 tunnels opened and closed', () => {
  const [WARM_UP, TUNNELS] = [10_000, 40_000]
  /** Whoever ends a connection in order keeps its port busy for a minute, so most are broken off. */
  const ENDINGS = 'CcCcOoooOo'.split('') as Ending[]

  test('leave descriptors and memory as they were', { timeout: 120_000 }, async () => {
    const origins = await Promise.all(Array.from({ length: 4 }, () => startRawOrigin(endAsTold)))
    const proxy = await ProxyProcess.start()
    const descriptors = proxy.descriptors()
    const field = authorization(await proxy.createContext(1))
    const churn = (number: number) => {
      const authority = `127.0.0.1:${origins[number % origins.length]?.port}`
      const request = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${field}\r\n`
      return tunnel(proxy.port(), request, ENDINGS[number % ENDINGS.length] ?? 'C')
    }
    await many(WARM_UP, AT_ONCE, churn)
    await proxy.returnsTo(descriptors)
    const memory = await proxy.memory()
    await many(TUNNELS, AT_ONCE, churn)
    await proxy.returnsTo(descriptors)
    expect((await proxy.memory()) - memory).toBeLessThan(GROWTH_MIB)
    const { connections, tunnels, total } = await proxy.stats()
    expect({ connections, tunnels, opened: total.tunnels }).toEqual({
      connections: 0,
      tunnels: 0,
      opened: WARM_UP + TUNNELS,
    })
  })
})

describe('10,000 clients that break off when they are told 407', () => {
  const [WARM_UP, CLIENTS] = [2_000, 8_000]
  const REQUESTS = ['GET http://localhost:1/ HTTP/1.1\r\nHost: localhost:1\r\n', 'CONNECT localhost:1 HTTP/1.1\r\n']
  const WRONG = 'Proxy-Authorization: Basic d3Jvbmc6d3Jvbmc=\r\n'

  test('leave descriptors and memory as they were, and the next is served', async () => {
    const origin = await startOrigin()
    const proxy = await ProxyProcess.start()
    const descriptors = proxy.descriptors()
    let refused = 0
    const ask = async (number: number) => {
      const request = `${REQUESTS[number % 2]}${number % 3 ? WRONG : ''}\r\n`
      // One in four does not even wait for the answer.
      if (await breakOff(proxy.port(), request, number % 4 > 0)) refused += 1
    }
    await many(WARM_UP, AT_ONCE, ask)
    await proxy.returnsTo(descriptors)
    const memory = await proxy.memory()
    await many(CLIENTS, AT_ONCE, ask)
    await proxy.returnsTo(descriptors)
    expect((await proxy.memory()) - memory).toBeLessThan(GROWTH_MIB)
    expect(refused).toBe((WARM_UP + CLIENTS) * 0.75)
    expect(await proxy.stats()).toMatchObject({ connections: 0, requests: 0, tunnels: 0, upstreamConnections: 0 })
    const context = await proxy.createContext(1)
    const answer = outcome(await absoluteForm({ proxy, plain: context, routed: context, port: origin.port }, {}))
    expect(await within('an answer', answer)).toMatchObject({ status: 200, whole: true })
  })
})

/** The client or the origin, in order or by a reset. */
type Ending = 'C' | 'c' | 'O' | 'o'

/** The origin's part: it ends what it is told to end, and follows where the other side ends. */
function endAsTold(socket: Socket) {
  socket.once('end', () => socket.end())
  socket.once('data', (told) => {
    if (String(told) === 'O') socket.end()
    if (String(told) === 'o') socket.resetAndDestroy()
  })
}

/** Opens a tunnel, has it ended, and is done when the client's side is closed. */
function tunnel(port: number, request: string, ending: Ending): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    let opened = false
    socket.once('data', (answer) => {
      opened = answer.includes('HTTP/1.1 200 ')
      if (!opened) reject(new Error(`answered ${answer}`))
      else if (ending === 'C') socket.end()
      else if (ending === 'c') socket.resetAndDestroy()
      else socket.write(ending)
    })
    socket.setTimeout(ANSWER_MS, () => reject(new Error('nothing happens')))
    socket.on('error', () => {})
    socket.once('close', () => (opened ? resolve() : reject(new Error('closed without an answer'))))
    socket.write(request)
  })
}

/** Asks and breaks off; whether it was answered 407 before. */
function breakOff(port: number, request: string, whenAnswered: boolean): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    let refused = false
    socket.once('data', (answer) => {
      refused = answer.includes('HTTP/1.1 407 ')
      socket.resetAndDestroy()
    })
    socket.setTimeout(ANSWER_MS, () => reject(new Error('nothing happens')))
    socket.on('error', () => {})
    socket.once('close', () => resolve(refused))
    socket.write(request, () => whenAnswered || socket.resetAndDestroy())
  })
}
