// The server's life: where it listens, how it is stopped.
import net, { type AddressInfo } from 'node:net'
import { ProxyServer } from 'tabport'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-client.ts'

describe('start', () => {
  test.each(['127.0.0.1:0', '[::1]:0', 'localhost:0'])('listens on %s', async (address) => {
    const proxy = await started(ProxyServer.start(address, true))
    expect(proxy).toBeInstanceOf(ProxyServer)
    expect(proxy.port()).toBeGreaterThan(0)
    const client = await RawClient.connect(proxy.port(), address.startsWith('[') ? '::1' : '127.0.0.1')
    const answer = await client.send('GET http://localhost:1/ HTTP/1.1\r\nHost: localhost:1\r\n\r\n').response()
    expect(answer.status).toBe(407)
  })

  test('a busy port is reported as Node reports it', async () => {
    const port = await occupy()
    await expect(ProxyServer.start(`127.0.0.1:${port}`, true)).rejects.toMatchObject({
      code: 'EADDRINUSE',
      syscall: 'listen',
      address: '127.0.0.1',
      port,
    })
  })

  test.each(['0.0.0.0:0', '[::]:0', '192.0.2.1:0'])('%s is not loopback and is refused', async (address) => {
    await expect(ProxyServer.start(address, true)).rejects.toMatchObject({ code: 'ERR_TABPORT_NON_LOOPBACK' })
  })
})

describe('startWithAutoPort', () => {
  test('moves on from ports that are in use', async () => {
    const port = await occupy()
    const proxy = await started(ProxyServer.startWithAutoPort('127.0.0.1', port, 50, true))
    expect(proxy.port()).toBeGreaterThan(port)
    expect(proxy.port()).toBeLessThan(port + 50)
  })

  test('takes the first port when it is free', async () => {
    const port = await freePort()
    const proxy = await started(ProxyServer.startWithAutoPort('localhost', port, 1, true))
    expect(proxy.port()).toBe(port)
  })

  test('gives up after the last attempt', async () => {
    const port = await occupy()
    const error = await failure(ProxyServer.startWithAutoPort('127.0.0.1', port, 1, true))
    expect(error.code).toBe('ERR_TABPORT_NO_FREE_PORT')
    expect(error.message).toContain(String(port))
  })

  test('never runs past the last port', async () => {
    await occupy(65_535)
    await expect(ProxyServer.startWithAutoPort('127.0.0.1', 65_535, 50, true)).rejects.toMatchObject({
      code: 'ERR_TABPORT_NO_FREE_PORT',
    })
  })

  test('reports every other failure at once', async () => {
    const options = { host: '192.0.2.1', allowNonLoopback: true, autoPort: { start: 40_000, attempts: 50 } }
    await expect(ProxyServer.listen(options)).rejects.toMatchObject({ code: 'EADDRNOTAVAIL', port: 40_000 })
  })

  test('a host that is not loopback is refused', async () => {
    await expect(ProxyServer.startWithAutoPort('0.0.0.0', 40_000, 5, true)).rejects.toMatchObject({
      code: 'ERR_TABPORT_NON_LOOPBACK',
    })
  })
})

describe('listen', () => {
  test('needs no options', async () => {
    const proxy = await started(ProxyServer.listen())
    expect(await RawClient.connect(proxy.port())).toBeInstanceOf(RawClient)
  })

  test('takes a fixed port', async () => {
    const port = await freePort()
    expect((await startProxy({ port })).port()).toBe(port)
  })

  test('takes every interface when that is asked for', async () => {
    const proxy = await startProxy({ host: '0.0.0.0', allowNonLoopback: true })
    expect(await RawClient.connect(proxy.port(), '127.0.0.2')).toBeInstanceOf(RawClient)
  })
})

describe('stop', () => {
  test('can be called twice, and at the same time', async () => {
    const proxy = await ProxyServer.start('127.0.0.1:0', true)
    await Promise.all([proxy.stop(), proxy.stop()])
    await proxy.stop()
  })

  test('closes the port, which can be bound again at once', async () => {
    const proxy = await ProxyServer.start('127.0.0.1:0', true)
    const port = proxy.port()
    const client = await RawClient.connect(port)
    await proxy.stop()
    await client.rest()
    await expect(RawClient.connect(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    const next = await started(ProxyServer.start(`127.0.0.1:${port}`, true))
    expect(next.port()).toBe(port)
  })

  test('leaves a server that says so', async () => {
    const proxy = await ProxyServer.start('127.0.0.1:0', true)
    const port = proxy.port()
    const context = proxy.createContext(1)
    await proxy.stop()
    expect(proxy.port()).toBe(port)
    expect(() => proxy.createContext(2)).toThrow(expect.objectContaining({ code: 'ERR_TABPORT_STOPPED' }))
    expect(() => proxy.releaseContext(context.id)).not.toThrow()
  })

  test('is what `await using` calls', async () => {
    const proxy = await ProxyServer.start('127.0.0.1:0', true)
    await proxy[Symbol.asyncDispose]()
    expect(() => proxy.createContext(1)).toThrow(expect.objectContaining({ code: 'ERR_TABPORT_STOPPED' }))
  })
})

async function started(starting: Promise<ProxyServer>): Promise<ProxyServer> {
  const proxy = await starting
  onTestFinished(() => proxy.stop())
  return proxy
}

async function failure(promise: Promise<unknown>): Promise<NodeJS.ErrnoException> {
  return promise.then(
    () => expect.unreachable('it should have failed'),
    (error) => error,
  )
}

/** Listens on a port for the rest of the test. */
async function occupy(port = 0): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return (server.address() as AddressInfo).port
}

async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}
