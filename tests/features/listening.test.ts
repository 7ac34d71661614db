// The rows about starting, stopping, and what JavaScript may pass in.
import { ProxyServer } from 'tabport'
import { expect, onTestFinished, test } from 'vitest'
import { connectTunnel, curl, http2Session } from '../support/clients.ts'
import { startRawOrigin, startWorkspace, text } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { basic, startProxy } from '../support/proxy.ts'
import { RawClient } from '../support/raw-client.ts'
import { inAbsoluteForm, tab } from './fixture.ts'

test('row 1, HTTP/1.1 and h2c on one port: curl is served either way', async () => {
  const { origin, route } = await startWorkspace(text('from the workspace'))
  const proxy = await ProxyServer.start('127.0.0.1:0', true)
  onTestFinished(() => proxy.stop())
  const credentials = `Proxy-Authorization: ${basic(proxy.createContext(1, route))}`
  const ask = (version: string) => {
    const authority = `localhost:${origin.port}`
    const toProxy = ['--connect-to', `${authority}:127.0.0.1:${proxy.port()}`, '--header', credentials]
    return curl(version, ...toProxy, '--write-out', ', HTTP/%{http_version}', `http://${authority}/`)
  }
  expect(await ask('--http1.1')).toBe('from the workspace, HTTP/1.1')
  expect(await ask('--http2-prior-knowledge')).toBe('from the workspace, HTTP/2')
  expect(origin.seen).toHaveLength(2)
})

test('row 14, stop() closes everything, frees port: every socket ends, a second stop does nothing', async () => {
  const echo = await startRawOrigin((socket) => socket.pipe(socket))
  const proxy = await ProxyServer.listen()
  const idle = await RawClient.connect(proxy.port())
  const { socket } = await connectTunnel(proxy, proxy.createContext(1), `127.0.0.1:${echo.port}`)
  const session = http2Session(proxy)
  await until('HTTP/2', () => session.remoteSettings)
  await proxy.stop()
  await idle.rest()
  await until('the tunnel ends', () => socket.resume().closed)
  await until('the session ends', () => session.closed || session.destroyed)
  await until('the upstream is left', () => echo.sockets.size === 0)
  const next = await startProxy({ port: proxy.port() })
  expect(next.port()).toBe(proxy.port())
  await proxy.stop()
  expect((await RawClient.connect(next.port())).closed).toBe(false)
})

test('row 15, post-stop API safety: createContext throws an Error, and the process goes on', async () => {
  const proxy = await ProxyServer.listen()
  const { id } = proxy.createContext(1)
  const port = proxy.port()
  await proxy.stop()
  expect(() => proxy.createContext(2)).toThrow(expect.objectContaining({ code: 'ERR_TABPORT_STOPPED' }))
  expect(() => proxy.createContext(2)).toThrow(Error)
  expect(() => proxy.releaseContext(id)).not.toThrow()
  expect([proxy.port(), proxy.stats().contexts]).toEqual([port, 0])
})

test('row 32, auto port: only AddrInUse retries: every other failure is one at once', async () => {
  const { port } = await startRawOrigin(() => {})
  const moved = await startProxy({ autoPort: { start: port, attempts: 50 } })
  expect(moved.port()).toBeGreaterThan(port)
  const elsewhere = { host: '192.0.2.1', allowNonLoopback: true, autoPort: { start: port, attempts: 50 } }
  await expect(ProxyServer.listen(elsewhere)).rejects.toMatchObject({ code: 'EADDRNOTAVAIL', port })
  const nowhere = ProxyServer.startWithAutoPort('no host', port, 50, true)
  await expect(nowhere).rejects.toMatchObject({ code: 'ERR_TABPORT_INVALID_ARGUMENT' })
})

test('row 32, auto port: only AddrInUse retries: the last port of all is the end', async () => {
  await startRawOrigin(() => {}, { host: '127.0.0.2', port: 65_535 })
  const past = ProxyServer.startWithAutoPort('127.0.0.2', 65_535, 50, true)
  await expect(past).rejects.toMatchObject({ code: 'ERR_TABPORT_NO_FREE_PORT' })
})

test('row 33, loopback-only bind for addon: anything else takes an opt-in', async () => {
  for (const address of ['0.0.0.0:0', '[::]:0', '192.0.2.1:0']) {
    const refused = { code: 'ERR_TABPORT_NON_LOOPBACK' }
    await expect(ProxyServer.start(address, true), address).rejects.toMatchObject(refused)
  }
  const closed = await startProxy()
  await expect(RawClient.connect(closed.port(), '127.0.0.2')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  const open = await startProxy({ host: '0.0.0.0', allowNonLoopback: true })
  expect((await RawClient.connect(open.port(), '127.0.0.2')).closed).toBe(false)
})

/** What JavaScript can pass in: no type, no range and no good intention is certain. */
const ODD: unknown[] = [
  ...[undefined, null, true, 0, -0, -1, 1.5, 65_536, 2 ** 53, Number.NaN, Number.NEGATIVE_INFINITY, 10n],
  ...['', '\0', '\ud800', 'a\r\nb: c', '../..', '{port}', '[::1', '127.0.0.1:0', 'x'.repeat(100_000)],
  ...[Symbol('odd'), [], [[]], {}, () => {}, new Date(0), /x/, new Uint8Array(3), new Map(), Object.create(null)],
  ...[new Proxy({}, { get: trap, has: trap, ownKeys: trap }), { toString: trap, valueOf: trap, toJSON: trap }],
]
const MEMBERS = {
  listen: ['host', 'port', 'autoPort', 'http2', 'extraCa', 'connectTo', 'timeouts', 'allowNonLoopback', 'onEvent'],
  route: ['morphId', 'scope', 'domainSuffix', 'cmuxProxyOrigin', 'workspace', 'upstream'],
}

function trap(): never {
  throw Object.assign(new Error('a trap'), { code: 'TRAP' })
}

test('row 63, no panic across NAPI: whatever is passed in is taken or thrown back as an Error with a code', async () => {
  const { proxy, ...rest } = await tab()
  const api = ProxyServer as never as Record<string, (...args: unknown[]) => unknown>
  const server = proxy as never as Record<string, (...args: unknown[]) => unknown>
  const calls = ODD.flatMap((odd): (() => unknown)[] => [
    () => api.start!(odd, true),
    () => api.start!('127.0.0.1:0', odd),
    () => api.startWithAutoPort!(odd, odd, odd, odd),
    () => api.listen!(odd),
    ...MEMBERS.listen.map((member) => () => api.listen!({ [member]: odd })),
    () => server.createContext!(odd),
    () => server.createContext!(2, odd),
    ...MEMBERS.route.map((member) => () => server.createContext!(2, { [member]: odd })),
    () => server.releaseContext!(odd),
  ])
  for (const call of calls) await isTakenOrThrownBack(call)
  for (const odd of ODD) expect(() => server.port!.call(odd), typeof odd).toThrow(TypeError)
  expect((await (await inAbsoluteForm({ proxy, ...rest })).head()).status).toBe(200)
})

async function isTakenOrThrownBack(call: () => unknown) {
  try {
    const value = await call()
    if (value instanceof ProxyServer) await value.stop()
  } catch (error) {
    expect(error, String(call)).toBeInstanceOf(Error)
    expect((error as NodeJS.ErrnoException).code, String(call)).toMatch(/^(ERR_TABPORT_\w+|E[A-Z]+|TRAP)$/)
  }
}

test('row 63, no panic across NAPI: a bind that fails is an error', async () => {
  const { port } = await startRawOrigin(() => {})
  const failed = { code: 'EADDRINUSE', syscall: 'listen', address: '127.0.0.1', port }
  await expect(ProxyServer.listen({ port })).rejects.toMatchObject(failed)
})
