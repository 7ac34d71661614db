// Every bad argument is an error with a code, and its message names the argument.
import { chmodSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ProxyServer } from 'tabport'
import { describe, expect, test } from 'vitest'
import { ca } from './support/certificates.ts'
import { fileOf, temporaryFolder } from './support/https.ts'
import { startProxy } from './support/proxy.ts'

const INVALID_ARGUMENT = 'ERR_TABPORT_INVALID_ARGUMENT'
const INVALID_ROUTE = 'ERR_TABPORT_INVALID_ROUTE'
const UNUSABLE = ['ERR_TABPORT_CERTIFICATE', 'options.certificates.directory'] as const

/** What the types forbid and JavaScript does not. */
const wrong = (value: unknown) => value as never

describe('start', () => {
  const addresses = [
    undefined,
    null,
    8080,
    {},
    '',
    'localhost',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '127.0.0.1:1.5',
    '127.0.0.1:0/x',
    '127.0.0.1:0\r\n',
    ' 127.0.0.1:0',
    ':0',
    '[::1:0',
    'http://127.0.0.1:0',
  ]
  test.each(addresses)('refuses the address %j', async (address) => {
    await refuses(() => ProxyServer.start(wrong(address), true), INVALID_ARGUMENT, 'listenAddr')
  })

  test.each([undefined, null, 1, 'true', {}])('refuses %j for enableHttp2', async (value) => {
    await refuses(() => ProxyServer.start('127.0.0.1:0', wrong(value)), INVALID_ARGUMENT, 'enableHttp2')
  })
})

describe('startWithAutoPort', () => {
  const cases: [argument: string, args: unknown[]][] = [
    ...[undefined, null, 5, '', 'a b', '127.0.0.1:80', 'a\r\nb'].map((host): [string, unknown[]] => [
      'host',
      [host, 4000, 1, true],
    ]),
    ...[undefined, null, '80', -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 65_536].map(
      (port): [string, unknown[]] => ['startPort', ['127.0.0.1', port, 1, true]],
    ),
    ...[undefined, null, '5', 0, -1, 1.5, Number.NaN, 2 ** 33].map((attempts): [string, unknown[]] => [
      'maxAttempts',
      ['127.0.0.1', 4000, attempts, true],
    ]),
    ...[undefined, null, 1, 'yes'].map((http2): [string, unknown[]] => ['enableHttp2', ['127.0.0.1', 4000, 1, http2]]),
  ]
  test.each(cases)('%s: refuses %j', async (argument, args) => {
    const call = () => ProxyServer.startWithAutoPort(...(args as Parameters<typeof ProxyServer.startWithAutoPort>))
    await refuses(call, INVALID_ARGUMENT, argument)
  })
})

describe('listen', () => {
  test.each(['x', 5, true, []])('refuses %j for its options', async (options) => {
    await refuses(() => ProxyServer.listen(wrong(options)), INVALID_ARGUMENT, 'options')
  })

  const members: [name: string, options: Record<string, unknown>][] = [
    ['host', { host: 5 }],
    ['host', { host: '' }],
    ['host', { host: 'a b' }],
    ['port', { port: -1 }],
    ['port', { port: 65_536 }],
    ['port', { port: 1.5 }],
    ['port', { port: Number.NaN }],
    ['port', { port: '80' }],
    ['autoPort', { port: 4000, autoPort: { start: 4000, attempts: 1 } }],
    ['autoPort', { autoPort: 4000 }],
    ['start', { autoPort: { attempts: 1 } }],
    ['start', { autoPort: { start: -1, attempts: 1 } }],
    ['attempts', { autoPort: { start: 4000 } }],
    ['attempts', { autoPort: { start: 4000, attempts: 0 } }],
    ['attempts', { autoPort: { start: 4000, attempts: 1.5 } }],
    ['tries', { autoPort: { start: 4000, attempts: 1, tries: 2 } }],
    ['http2', { http2: 'yes' }],
    ['http2', { http2: 1 }],
    ...['yes', 1, null].map((secure): [string, Record<string, unknown>] => ['options.secure', { secure }]),
    ['options.certificates', { certificates: 'x' }],
    ['options.certificates', { certificates: [] }],
    ['options.certificates.directory', { certificates: { directory: 5 } }],
    ['options.certificates.names', { certificates: { names: 'preview.test' } }],
    ['options.certificates.names', { certificates: { names: [5] } }],
    ['keep', { certificates: { keep: true } }],
    ['extraCa', { extraCa: 5 }],
    ['connectTo', { connectTo: 'x' }],
    ['connectTo', { connectTo: { 'a.test': '127.0.0.1:1' } }],
    ['connectTo', { connectTo: { 'a.test:99999': '127.0.0.1:1' } }],
    ['connectTo', { connectTo: { 'a.test:80': '127.0.0.1' } }],
    ['connectTo', { connectTo: { 'a.test:80': 'b.test:1' } }],
    ['connectTo', { connectTo: { 'a.test:80': 5 } }],
    ['timeouts', { timeouts: 5 }],
    ['connect', { timeouts: { connect: -1 } }],
    ['connect', { timeouts: { connect: '1' } }],
    ['tlsHandshake', { timeouts: { tlsHandshake: Number.NaN } }],
    ['requestHead', { timeouts: { requestHead: 1.5 } }],
    ['responseHead', { timeouts: { responseHead: Number.POSITIVE_INFINITY } }],
    ['idle', { timeouts: { idle: -1 } }],
    ['halfClose', { timeouts: { halfClose: null } }],
    ['conect', { timeouts: { conect: 1 } }],
    ['allowNonLoopback', { allowNonLoopback: 1 }],
    ['onEvent', { onEvent: 5 }],
    ['hots', { hots: '127.0.0.1' }],
  ]
  test.each(members)('%s: refuses %j', async (name, options) => {
    await refuses(() => ProxyServer.listen(wrong(options)), INVALID_ARGUMENT, name)
  })

  const broken = ca.replace(/\n[A-Za-z0-9+/]{8}/, '\nAAAAAAAA')
  test.each([
    ['no PEM', 'garbage'],
    ['empty', ''],
    ['a PEM without an end', ca.slice(0, 100)],
    ['a certificate that is none', broken],
    ['another kind of PEM', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n'],
  ])('extraCa: refuses %s', async (_what, extraCa) => {
    await refuses(() => ProxyServer.listen({ extraCa }), 'ERR_TABPORT_CERTIFICATE', 'extraCa')
  })

  test.each(['', 'a b', 'https://preview.test', 'preview.test:443', '*.preview.test', 'a\r\nb', 'é.test', 'a\0b'])(
    'certificates.names: refuses %j',
    async (name) => {
      const listen = () => ProxyServer.listen({ certificates: { names: ['preview.test', name] } })
      await refuses(listen, 'ERR_TABPORT_CERTIFICATE', 'options.certificates.names')
    },
  )

  test.each([
    ['a file', () => fileOf(ca)],
    ['a folder in a file', () => join(fileOf(ca), 'kept')],
    ['an empty path', () => ''],
  ])('certificates.directory: refuses %s', async (_what, path) => {
    const directory = path()
    await refuses(() => ProxyServer.listen({ certificates: { directory } }), ...UNUSABLE)
  })

  test.skipIf(process.platform === 'win32')('certificates.directory: refuses one that others may enter', async () => {
    const directory = temporaryFolder()
    chmodSync(directory, 0o750)
    await refuses(() => ProxyServer.listen({ certificates: { directory } }), ...UNUSABLE)
    expect(readdirSync(directory)).toEqual([])
  })

  test('a member that is undefined is a member left out', async () => {
    const proxy = await startProxy({ host: undefined, port: undefined, extraCa: undefined, secure: undefined })
    expect(proxy.port()).toBeGreaterThan(0)
  })
})

describe('createContext', () => {
  const ids = [undefined, null, 'a', '1', Number.NaN, Number.POSITIVE_INFINITY, -1, 1.5, 2 ** 32, {}, [], true]
  test.each(ids)('refuses %j for webContentsId', async (id) => {
    const proxy = await startProxy()
    await refuses(() => proxy.createContext(wrong(id)), INVALID_ARGUMENT, 'webContentsId')
    expect(proxy.stats().contexts).toBe(0)
  })

  test.each(['x', 5, true, []])('refuses %j for a route', async (route) => {
    const proxy = await startProxy()
    await refuses(() => proxy.createContext(1, wrong(route)), INVALID_ROUTE, 'route')
  })

  const morph = { morphId: 'abc', scope: 'base', domainSuffix: 'preview.test' }
  const bad = ['', 'a b', 'a\r\nX: y', 'a/b', 'a@b', 'é', '-a']
  const routes: [name: string, route: Record<string, unknown>][] = [
    ['route', {}],
    ['route', { ...morph, upstream: 'http://127.18.0.1:{port}' }],
    ['route', { cmuxProxyOrigin: 'http://127.0.0.1:1', upstream: 'http://127.18.0.1:{port}' }],
    ['scope', { morphId: 'abc', domainSuffix: 'preview.test' }],
    ['morphId', { scope: 'base', domainSuffix: 'preview.test' }],
    ['domainSuffix', { morphId: 'abc', scope: 'base' }],
    ['cmuxProxyOrigin', { workspace: 'a' }],
    ['upstreem', { upstreem: 'http://127.18.0.1:{port}' }],
    ['extra', { ...morph, extra: 1 }],
    ...bad.map((value): [string, Record<string, unknown>] => ['morphId', { ...morph, morphId: value }]),
    ...bad.map((value): [string, Record<string, unknown>] => ['scope', { ...morph, scope: value }]),
    ...bad
      .filter((value) => value !== '-a')
      .map((value): [string, Record<string, unknown>] => ['domainSuffix', { ...morph, domainSuffix: value }]),
    ['63', { ...morph, morphId: 'a'.repeat(64) }],
    ['63', { upstream: `https://{port}-${'a'.repeat(60)}.preview.test` }],
    ['upstream', { upstream: 'localhost:3000' }],
    ['upstream', { upstream: 'ftp://a.test' }],
    ['upstream', { upstream: 'http://user@a.test' }],
    ['upstream', { upstream: 'http://a.test/path' }],
    ['upstream', { upstream: 'http://a.test?query' }],
    ['upstream', { upstream: 'http://a.test\r\nX: y' }],
    ['upstream', { upstream: 'http://{port}-{port}.test' }],
    ['upstream', { upstream: '' }],
    ['cmuxProxyOrigin', { cmuxProxyOrigin: 'nonsense' }],
    ['cmuxProxyOrigin', { cmuxProxyOrigin: 'http://a@b' }],
    ['workspace', { cmuxProxyOrigin: 'http://127.0.0.1:1', workspace: 'a\r\nX: y' }],
    ['workspace', { cmuxProxyOrigin: 'http://127.0.0.1:1', workspace: '' }],
  ]
  test.each(routes)('%s: refuses %j', async (name, route) => {
    const proxy = await startProxy()
    await refuses(() => proxy.createContext(1, wrong(route)), INVALID_ROUTE, name)
    expect(proxy.stats().contexts).toBe(0)
  })

  test.each([
    ['morphId', { ...morph, morphId: 5 }],
    ['upstream', { upstream: 5 }],
    ['workspace', { cmuxProxyOrigin: 'http://127.0.0.1:1', workspace: 5 }],
  ])('%s: refuses the wrong type in %j', async (name, route) => {
    const proxy = await startProxy()
    await refuses(() => proxy.createContext(1, wrong(route)), INVALID_ROUTE, name)
  })

  test.each(['', 's3cret word', 's3cret\r\nX: y', 's3crét', 53, ['s3cret'], { s3cret: 1 }, null])(
    'cmuxProxyToken: refuses %j, and does not repeat it',
    async (cmuxProxyToken) => {
      const proxy = await startProxy()
      const route = { cmuxProxyOrigin: 'http://127.0.0.1:1', cmuxProxyToken }
      const refused = () => proxy.createContext(1, wrong(route))
      await refuses(refused, INVALID_ROUTE, 'route.cmuxProxyToken must be')
      expect(refused).toThrow(expect.not.objectContaining({ message: expect.stringMatching(/s3cr|53/) }))
    },
  )

  test('cmuxProxyToken: refuses one without a gateway', async () => {
    const proxy = await startProxy()
    const route = { upstream: 'http://127.18.0.1:{port}', cmuxProxyToken: 's3cret' }
    await refuses(() => proxy.createContext(1, wrong(route)), INVALID_ROUTE, 'route')
    await refuses(() => proxy.createContext(1, wrong({ cmuxProxyToken: 's3cret' })), INVALID_ROUTE, 'cmuxProxyOrigin')
  })

  test('a refused route leaves the context that was there', async () => {
    const proxy = await startProxy()
    const context = proxy.createContext(1)
    await refuses(() => proxy.createContext(1, wrong({})), INVALID_ROUTE, 'route')
    expect(() => proxy.releaseContext(context.id)).not.toThrow()
  })
})

describe('releaseContext', () => {
  test.each([undefined, null, 5, {}])('refuses %j', async (id) => {
    const proxy = await startProxy()
    await refuses(() => proxy.releaseContext(wrong(id)), INVALID_ARGUMENT, 'contextId')
  })

  test('an id it does not know, or not any more, is an error', async () => {
    const proxy = await startProxy()
    const { id } = proxy.createContext(1)
    await refuses(() => proxy.releaseContext('nobody'), 'ERR_TABPORT_UNKNOWN_CONTEXT', 'nobody')
    proxy.releaseContext(id)
    await refuses(() => proxy.releaseContext(id), 'ERR_TABPORT_UNKNOWN_CONTEXT', id)
  })
})

/** A promise-returning function may throw at once or reject: both reach a caller who awaits it. */
async function refuses(call: () => unknown, code: string, named: string): Promise<void> {
  const outcome = await Promise.resolve()
    .then(call)
    .then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
  if (outcome && 'value' in outcome) {
    if (outcome.value instanceof ProxyServer) await outcome.value.stop()
    expect.unreachable(`accepted, with ${outcome.value}`)
  }
  const { error } = outcome as { error: NodeJS.ErrnoException }
  expect(error).toBeInstanceOf(Error)
  expect(error.code).toBe(code)
  expect(error.message).toContain(named)
}
