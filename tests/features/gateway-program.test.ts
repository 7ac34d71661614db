// The rows about the workspace gateway as a program: where it listens, whom it lets in, what it tells of itself, and how
// it ends.
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import WebSocket from 'ws'
import { http2Session } from '../support/clients.ts'
import { Gateway, startGateway } from '../support/gateway.ts'
import { type Answer, startOrigin, startRawOrigin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { RawClient } from '../support/raw-client.ts'
import { request } from './fixture.ts'
import { overHttp1, overHttp2, routing, startAll } from './gateway.ts'

/** A port of 127.0.0.1 that somebody else listens on. */
async function taken(): Promise<number> {
  const server = net.createServer()
  onTestFinished(() => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

const NO_FIELDS = { status: 400, said: 'missing required header: X-Cmux-Port-Internal\n' }

test('row 31, bind dedupe + fail if none bound: a wildcard covers the other addresses of its port', async () => {
  const other = net.createServer()
  await once(other.listen(0, '127.0.0.1'), 'listening')
  const { port } = other.address() as AddressInfo
  other.close()
  await once(other, 'close')
  const listen = `127.0.0.1:${port},0.0.0.0:${port},127.0.0.1:${port}`
  const gateway = await startGateway([], { CMUX_LISTEN: listen })
  const answered = await overHttp1({ port: () => port }, {})
  expect(answered).toEqual(NO_FIELDS)
  gateway.signal('SIGTERM')
  expect(await gateway.end()).toMatchObject({ code: 0, lines: [`listening on 0.0.0.0:${port}`] })
})

test('row 31, bind dedupe + fail if none bound: all that cannot be bound is an exit code, and no line', async () => {
  const [one, two] = [`127.0.0.1:${await taken()}`, `127.0.0.1:${await taken()}`]
  for (const flags of [
    ['--listen', one],
    ['--listen', `${one},${two}`, '--allow-partial-bind'],
  ]) {
    const { code, log, lines } = await Gateway.outcome(flags)
    expect([code, lines]).toEqual([1, []])
    expect(log).toContain(`cannot listen on ${one}`)
  }
})

test('row 31, bind dedupe + fail if none bound: a part of the addresses is enough only where it is asked for', async () => {
  const listen = ['--listen', `127.0.0.1:${await taken()},127.0.0.2:0`]
  expect(await Gateway.outcome(listen)).toMatchObject({ code: 1, lines: [] })
  const gateway = await startGateway([...listen, '--allow-partial-bind'])
  expect(gateway.addresses()).toEqual([expect.stringMatching(/^127\.0\.0\.2:\d+$/)])
})

test('row 52, h2 CONNECT: of a gateway with a token, every stream needs it', async () => {
  const echo = await startRawOrigin((socket) => socket.pipe(socket))
  const gateway = await startGateway([], { CMUX_AUTH_TOKEN: 's3cret' })
  const session = http2Session(gateway)
  const connect = async (fields: object) => {
    const pseudo = { ':method': 'CONNECT', ':authority': 'any.test:1', 'x-cmux-port-internal': echo.port }
    const stream = session.request({ ...pseudo, ...fields }, { endStream: false }).on('error', () => {})
    const [head] = await within('the answer', once(stream, 'response'))
    return { stream, status: head[':status'] }
  }
  const right = { 'proxy-authorization': 'Bearer s3cret' }
  for (const wrong of [{}, { 'proxy-authorization': 'Bearer wr0ng' }]) expect((await connect(wrong)).status).toBe(407)
  expect(echo.connections).toBe(0)
  const { stream, status } = await connect(right)
  expect([status, (await connect({})).status]).toEqual([200, 407])
  stream.end('there and back')
  expect(String(Buffer.concat(await within('the echo', stream.toArray())))).toBe('there and back')
  expect(echo.connections).toBe(1)
})

/** A server that answers when it is told to. */
async function startSlow() {
  const waiting: Parameters<Answer>[1][] = []
  const origin = await startOrigin((_request, response) => void waiting.push(response))
  const asked = (times = 1) => until('the requests', () => waiting.length === times)
  const answer = () => {
    for (const response of waiting) response.end('late')
  }
  return { port: origin.port, asked, answer }
}

const refuses = (gateway: Gateway) => until('connections to be refused', () => isRefused(gateway.port()))

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => socket.destroy()).once('close', (failed) => resolve(failed))
    socket.on('error', () => {})
  })
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  'row 64, graceful shutdown SIGINT+SIGTERM with drain: %s lets what is in flight end, and refuses what is new',
  async (signal) => {
    const [gateway, slow] = [await startGateway(), await startSlow()]
    const idle = await RawClient.connect(gateway.port())
    expect((await idle.send(request('GET /', 'a')).response()).status).toBe(400)
    const answers = [overHttp1, overHttp2].map((ask) => ask(gateway, routing(slow.port)))
    await slow.asked(2)
    gateway.signal(signal)
    await refuses(gateway)
    await idle.rest()
    expect(gateway.hasEnded()).toBe(false)
    slow.answer()
    const late = { status: 200, said: 'late' }
    expect(await Promise.all(answers)).toEqual([late, late])
    expect((await gateway.end()).code).toBe(0)
  },
)

test('row 64, graceful shutdown SIGINT+SIGTERM with drain: WebSockets are told at once, the rest when time is up', async () => {
  const { port, asked } = await startSlow()
  const { gateway, one, port: shared } = await startAll(['--graceful-shutdown-timeout', '300ms'])
  const socket = new WebSocket(gateway.origin(), { headers: routing(shared, 'workspace-1') })
  await within('the greeting', once(socket, 'message'))
  const cut = expect(overHttp1(gateway, routing(port))).rejects.toThrow()
  await asked()
  gateway.signal('SIGTERM')
  // RFC 6455, section 7.4.1: the gateway goes away.
  const [code] = await within('its end', once(socket, 'close'))
  expect(code).toBe(1001)
  await until('the end at the server', () => one.sockets.size === 0)
  expect((await gateway.end()).code).toBe(0)
  await cut
})

test('row 65, health endpoint: on a listener of its own, without routing fields', async () => {
  const { gateway, here, port } = await startAll(['--admin', '127.0.0.1:0'])
  const admin = { port: gateway.adminPort }
  expect(await overHttp1(admin, {}, '/healthz')).toEqual({ status: 200, said: 'ok\n' })
  expect((await overHttp1(admin, {})).status).toBe(404)
  const metrics = await overHttp1(admin, {}, '/metrics')
  expect(metrics).toEqual({ status: 200, said: expect.stringContaining('\ncmux_proxy_requests_total 0\n') })
  expect(await overHttp1(gateway, {}, '/healthz')).toEqual(NO_FIELDS)
  // On the data port every path is the workspace's.
  expect(await overHttp1(gateway, routing(port), '/healthz')).toEqual({ status: 200, said: 'here' })
  expect(here.seen.map(({ url }) => url)).toEqual(['/healthz'])
})

test('row 65, health endpoint: says so when it drains', async () => {
  const [gateway, slow] = [await startGateway(['--admin', '127.0.0.1:0']), await startSlow()]
  const answer = overHttp1(gateway, routing(slow.port))
  await slow.asked()
  gateway.signal('SIGTERM')
  const draining = async () => (await overHttp1({ port: gateway.adminPort }, {}, '/healthz')).status === 503
  await until('the health to say so', draining)
  slow.answer()
  expect((await answer).said).toBe('late')
  expect((await gateway.end()).code).toBe(0)
})
