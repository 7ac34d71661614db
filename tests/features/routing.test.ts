// The rows about where a request goes. Each looks at the origin that must hear it, and at those that must not.
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { connectTunnel } from '../support/clients.ts'
import { startOrigin, startRawOrigin, startTlsOrigin, text } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { authorization, previewTo, startProxy } from '../support/proxy.ts'
import { RawClient } from '../support/raw-client.ts'
import { type Asking, FORMS, inAbsoluteForm, openTunnel, request, tab, WEBSOCKET } from './fixture.ts'

const morph = { morphId: 'abc', scope: 'base', domainSuffix: 'preview.test' }
const NAME = 'cmux-abc-base-3000.preview.test'

test.each(FORMS)('row 3, localhost -> https cmux host rewrite: %s, name, path and query', async (_form, ask) => {
  const origin = await startTlsOrigin(text('over TLS'))
  const proxy = await startProxy(previewTo(origin.port, 'cmux-abc-base-3000'))
  const to = { proxy, context: proxy.createContext(1, morph), authority: 'localhost:3000' }
  const client = await ask(to, { path: '/x/../%2e?q=%20&r' })
  expect(await client.response()).toMatchObject({ status: 200, body: 'over TLS' })
  expect(origin.seen).toMatchObject([{ servername: NAME, headers: { host: NAME }, url: '/x/../%2e?q=%20&r' }])
})

test.each(FORMS)('row 4, header mode upstream (cmux-proxy origin): %s, each field once', async (_form, ask) => {
  const gateway = await startOrigin()
  const proxy = await startProxy()
  const route = { cmuxProxyOrigin: `http://127.0.0.1:${gateway.port}` }
  const to = { proxy, context: proxy.createContext(1, route), authority: '127.0.0.1:3000' }
  const spoofed = 'X-Cmux-Port-Internal: 22\r\nx-cmux-port-internal: 23\r\nX-Cmux-Host-Override: evil.test\r\n'
  await ask(to, { fields: spoofed })
  await ask(to, { fields: spoofed + WEBSOCKET })
  await until('both requests', () => gateway.seen.length === 2)
  for (const { rawHeaders, headers } of gateway.seen) {
    const named = rawHeaders.filter((name, index) => index % 2 === 0 && /^x-cmux-/i.test(name)).sort()
    expect(named).toEqual(['X-Cmux-Host-Override', 'X-Cmux-Port-Internal'])
    expect(headers).toMatchObject({ 'x-cmux-port-internal': '3000', 'x-cmux-host-override': '127.0.0.1:3000' })
  }
})

const LOOPBACK = ['localhost', 'LocalHost', 'localhost.', 'app.localhost', 'a.b.localhost.', '127.0.0.1', '127.1.2.3']
const LOOPBACK_ADDRESSES = ['0.0.0.0', '[::1]', '[::]', '[::ffff:127.1.2.3]', '[::127.0.0.1]', '[0:0:0:0:0:0:0:1]']

test.each([...LOOPBACK, ...LOOPBACK_ADDRESSES])(
  'row 6, CONNECT follows route: CONNECT %s never dials the port here',
  async (host) => {
    const { origin, bait, authority, ...rest } = await tab(text('of the workspace'))
    const to = { ...rest, authority: `${host}:${origin.port}` }
    const plain = await openTunnel(to)
    expect(await plain.send(request('GET /', to.authority)).response()).toMatchObject({ body: 'of the workspace' })
    const binary = await openTunnel(to)
    binary.send(Uint8Array.of(0, 1, 2))
    await until('what is neither HTTP nor TLS reaches the workspace too', () => origin.connections === 2)
    await origin.close()
    const late = await openTunnel(to)
    expect((await late.send(request('GET /', to.authority)).head()).status).toBe(502)
    await (await openTunnel(to)).send(Uint8Array.of(0, 1, 2)).rest()
    expect(bait.connections).toBe(0)
  },
)

test.each([...LOOPBACK, ...LOOPBACK_ADDRESSES])('row 16, loopback classifier: %s is loopback', async (host) => {
  const { origin, bait, authority, ...rest } = await tab()
  const answer = await inAbsoluteForm({ ...rest, authority: `${host}:${origin.port}` })
  expect([(await answer.head()).status, origin.seen.length, bait.connections]).toEqual([200, 1, 0])
})

test.each([
  ...['127.evil.com', '127.0.0.1.evil.test', 'localhost.evil.test', 'notlocalhost', 'localhost.localdomain'],
  ...['128.0.0.1', '1.0.0.127', '[::2]', '[::ffff:128.0.0.1]'],
])('row 16, loopback classifier: %s is not', async (host) => {
  const elsewhere = await startOrigin()
  const authority = `${host}:3000`
  const { origin, bait, ...rest } = await tab(undefined, { connectTo: { [authority]: `127.0.0.1:${elsewhere.port}` } })
  const answer = await inAbsoluteForm({ ...rest, authority })
  expect([(await answer.head()).status, origin.seen.length, bait.connections]).toEqual([200, 0, 0])
  expect(elsewhere.seen).toMatchObject([{ headers: { host: authority } }])
})

test('row 17, IPv6 CONNECT / authority: rewritten by a route', async () => {
  const gateway = await startOrigin()
  const proxy = await startProxy()
  const context = proxy.createContext(1, { cmuxProxyOrigin: `http://127.0.0.1:${gateway.port}` })
  const client = await openTunnel({ proxy, context, authority: '[::1]:3000' })
  expect((await client.send(request('GET /v6', '[::1]:3000')).head()).status).toBe(200)
  const fields = { 'x-cmux-port-internal': '3000', 'x-cmux-host-override': '[::1]:3000' }
  expect(gateway.seen).toMatchObject([{ url: '/v6', headers: fields }])
})

test('row 17, IPv6 CONNECT / authority: dialled without one', async () => {
  const origin = await startRawOrigin((socket) => socket.end('over IPv6'), { host: '::1' })
  const proxy = await startProxy()
  const { status, socket } = await connectTunnel(proxy, proxy.createContext(1), `[::1]:${origin.port}`)
  const [said] = await within('the first bytes', once(socket, 'data'))
  expect([status, String(said)]).toEqual([200, 'over IPv6'])
})

const FORMS_OF_TARGET: [target: string, host: string, at: 'plain' | 'tls', fields?: string][] = [
  ['http://a.preview.test/x?y', 'a.preview.test', 'plain'],
  ['HTTP://A.Preview.Test/x?y', 'a.preview.test', 'plain'],
  ['http://a.preview.test:80/x?y', 'a.preview.test', 'plain'],
  ['https://a.preview.test/x?y', 'a.preview.test', 'tls'],
  ['https://a.preview.test:443/x?y', 'a.preview.test', 'tls'],
  ['ws://a.preview.test/x?y', 'a.preview.test', 'plain', WEBSOCKET],
  ['wss://a.preview.test/x?y', 'a.preview.test', 'tls', WEBSOCKET],
  ['/x?y', 'a.preview.test', 'plain'],
  ['/x?y', 'a.preview.test', 'plain', WEBSOCKET],
]

test.each(FORMS_OF_TARGET)('row 39, absolute-form ws/wss/http/https and origin-form: %s (Host: %s)', async (...row) => {
  const [target, host, at, fields = ''] = row
  const origins = { plain: await startOrigin(), tls: await startTlsOrigin() }
  const { connectTo, extraCa } = previewTo(origins.tls.port, 'a')
  const plain = { 'a.preview.test:80': `127.0.0.1:${origins.plain.port}` }
  const proxy = await startProxy({ extraCa, connectTo: { ...connectTo, ...plain } })
  const client = await RawClient.connect(proxy.port())
  client.send(request(`GET ${target}`, host, authorization(proxy.createContext(1)) + fields))
  await until('the request', () => origins[at].seen.length > 0)
  const upgrade = fields ? { upgrade: 'websocket' } : {}
  expect(origins[at].seen).toMatchObject([{ method: 'GET', url: '/x?y', headers: { host, ...upgrade } }])
  expect(origins[at === 'tls' ? 'plain' : 'tls'].connections).toBe(0)
})

test.each([
  ...['GET ftp://H/', 'GET http:/H/', 'GET http:///', 'GET H', 'GET x', 'GET http://u:p@H/', 'GET http://H:0x/'],
  ...['GET http://H/#f', 'GET http://H/ x', 'GET http://[::1/', 'GET http://a b/', 'OPTIONS **', 'GET *', 'CONNECT /'],
])('row 39, absolute-form ws/wss/http/https and origin-form: %s is a 400', async (line) => {
  const { origin, bait, proxy, context, authority } = await tab()
  const client = await RawClient.connect(proxy.port())
  client.send(request(line.replace('H', authority), authority, authorization(context)))
  expect((await client.head()).status).toBe(400)
  expect([origin.connections, bait.connections]).toEqual([0, 0])
})

test.each(['localhost', '127.0.0.1', '127.1.2.3', '0.0.0.0', '[::ffff:127.0.0.1]', 'app.localhost'])(
  'row 53, loop detection: the port of the proxy itself at %s is a 508, in every form',
  async (host) => {
    const proxy = await startProxy({ host: '0.0.0.0', allowNonLoopback: true })
    const to = { proxy, context: proxy.createContext(1), authority: `${host}:${proxy.port()}` }
    expect((await (await inAbsoluteForm(to)).head()).status).toBe(508)
    expect((await (await inAbsoluteForm(to, { fields: WEBSOCKET })).head()).status).toBe(508)
    expect((await connectTunnel(proxy, to.context, to.authority)).status).toBe(508)
    expect(proxy.stats().total.connections).toBe(3)
  },
)

test('row 53, loop detection: a route to the proxy itself is a 508, two proxies in a ring come to an end', async () => {
  const [one, two] = [await startProxy(), await startProxy()]
  const asked = (proxy: typeof one, leadsTo: typeof one): Asking => {
    const context = proxy.createContext(1, { upstream: `http://127.0.0.1:${leadsTo.port()}` })
    return { proxy, context, authority: 'localhost:3000' }
  }
  expect((await (await inAbsoluteForm(asked(one, one))).head()).status).toBe(508)
  asked(two, one)
  // The other proxy is told nobody's credentials, and its challenge is not passed on.
  expect((await (await inAbsoluteForm(asked(one, two))).head()).status).toBe(502)
  expect([one.stats().total.connections, two.stats().total.connections]).toEqual([2, 1])
})

test.each(['', 'a b', 'a\r\nX: y', 'a/b', 'a@b', 'a:1', 'a?b', 'a#b', 'é', 'a%2fb', 'a\0', '.', 'a'.repeat(64)])(
  'row 57, route field validation: %j is an Error that names the field',
  async (bad) => {
    const { proxy, context } = await tab()
    const fields = ['morphId', 'scope', 'domainSuffix'] as const
    const routes: [string, object][] = [
      ...fields.map((field): [string, object] => [field, { ...morph, [field]: bad }]),
      ['upstream', { upstream: `http://u:p@${bad}` }],
      ['cmuxProxyOrigin', { cmuxProxyOrigin: `https://g.preview.test/${bad}x` }],
    ]
    for (const [field, route] of routes) {
      const invalid = { code: 'ERR_TABPORT_INVALID_ROUTE', message: expect.stringContaining(field) }
      const refused = expect.objectContaining(bad.length > 63 ? { code: invalid.code } : invalid)
      expect(() => proxy.createContext(2, route as typeof morph), field).toThrow(refused)
    }
    expect(proxy.stats().contexts).toBe(1)
    expect(() => proxy.releaseContext(context.id)).not.toThrow()
  },
)
