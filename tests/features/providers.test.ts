// The rows about what a route may say: which names stay on the machine itself, and how a provider's URL is read.
import { type PreviewRoute, presets, routeFromUrl, urlFromRoute } from 'tabport'
import { expect, test } from 'vitest'
import { startBait, startOrigin, startRawOrigin, text } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { startProxy } from '../support/proxy.ts'
import { type Asking, FORMS, inAbsoluteForm, tab, WEBSOCKET } from './fixture.ts'

const REFUSED = 'ERR_TABPORT_INVALID_ROUTE'

test.each(FORMS)(
  'row 54, loopback bypass list per context: %s, what is listed is local, all else is not',
  async (...row) => {
    const [, ask] = row
    const { origin, bait, route, proxy } = await tab(text('of the workspace'))
    const own = await startOrigin(text('of the own machine'))
    const local = { ...route, local: [`LocalHost.:${own.port}`] }
    const to: Omit<Asking, 'authority'> = { proxy, context: proxy.createContext(2, local) }
    const bodyAt = async (authority: string) => (await (await ask({ ...to, authority })).response()).body
    expect(await bodyAt(`localhost:${own.port}`)).toBe('of the own machine')
    expect(await bodyAt(`localhost:${origin.port}`)).toBe('of the workspace')
    await ask({ ...to, authority: `localhost:${own.port}` }, { fields: WEBSOCKET })
    await until('a WebSocket too', () => own.seen.length === 2)
    // Neither the same port by another name nor another context's is meant.
    expect((await (await ask({ ...to, authority: `127.0.0.1:${own.port}` })).head()).status).toBe(502)
    const others = { proxy, context: proxy.createContext(3, route), authority: `localhost:${own.port}` }
    expect((await (await ask(others)).head()).status).toBe(502)
    expect([own.connections, bait.connections]).toEqual([own.seen.length, 0])
  },
)

type Provider = PreviewRoute['provider']

/** Names with hyphens, and the URL that each provider has for port 3000 of them. */
const HYPHENS: [provider: Provider, route: { upstream: string }, url: string][] = [
  ['codespaces', presets.codespaces({ name: 'octo-cat-4-mld5' }), 'https://octo-cat-4-mld5-3000.app.github.dev'],
  ['e2b', presets.e2b({ sandbox: '80-i62-443' }), 'https://3000-80-i62-443.e2b.app'],
  [
    'daytona',
    presets.daytona({ sandbox: 'a-1-b', domain: 'proxy.daytona.work' }),
    'https://3000-a-1-b.proxy.daytona.work',
  ],
  [
    'gitpod',
    presets.gitpod({ workspace: 'moccasin-ferret-155799b3', cluster: 'ws-eu45' }),
    'https://3000-moccasin-ferret-155799b3.ws-eu45.gitpod.io',
  ],
  [
    'coder',
    presets.coder({ agent: 'm-1', workspace: 'my-dev', user: 'd-n', domain: 'coder.example.com' }),
    'https://3000--m-1--my-dev--d-n.coder.example.com',
  ],
]
const domains = { coder: ['coder.example.com'] }

test.each(HYPHENS)('row 55, route parser shared, dash-safe: %s goes round, and to that very host', async (...row) => {
  const [provider, route, url] = row
  expect(urlFromRoute(route, 3000)).toBe(url)
  expect(routeFromUrl(`${url}/a?b`, { domains })).toEqual({ provider, port: 3000, route })
  for (const port of [1, 65_535]) {
    expect(routeFromUrl(urlFromRoute(route, port), { domains })).toEqual({ provider, port, route })
  }
  const hello: Buffer[] = []
  const [bait, origin] = [
    await startBait(),
    await startRawOrigin((socket) => socket.once('data', (bytes) => hello.push(bytes) && socket.destroy())),
  ]
  const { host } = new URL(url)
  const proxy = await startProxy({ connectTo: { [`${host}:443`]: `127.0.0.1:${origin.port}` } })
  const to = { proxy, context: proxy.createContext(1, route), authority: `localhost:3000` }
  expect((await (await inAbsoluteForm(to)).head()).status).toBe(502)
  // The name that a TLS client asks for is in its first message in clear.
  expect(String(hello[0])).toContain(host)
  expect(bait?.connections).toBe(0)
})

test('row 55, route parser shared, dash-safe: the forms of both sides are one grammar', () => {
  const read = (url: string) => {
    const { provider, port, route } = routeFromUrl(url)
    return [provider, port, urlFromRoute(route, port)]
  }
  expect(read('https://port-8080-morphvm-abc.http.cloud.morph.so')).toEqual([
    'morph',
    8080,
    'https://port-8080-morphvm-abc.http.cloud.morph.so',
  ])
  for (const host of ['cmux-abc-base-8080.cmux.app', 'manaflow-abc-base-8080.manaflow.com', 'cmux-abc-8080.cmux.sh']) {
    expect(read(`https://${host}`)).toEqual(['cmux', 8080, `https://${host}`])
  }
})

test.each([
  ['an id or a scope has a hyphen', () => routeFromUrl('https://cmux-a-b-c-80.cmux.app'), 'two ways'],
  ['so has one that is given', () => presets.cmux({ id: 'a-b', scope: 'c' }), 'two ways'],
  ['a label is longer than 63', () => routeFromUrl(`https://1-${'a'.repeat(60)}.e2b.app`), '63'],
  ['it would be for the longest port', () => presets.codespaces({ name: 'a'.repeat(58) }), '63'],
  ['a gateway has no URL of its own', () => urlFromRoute({ cmuxProxyOrigin: 'http://a.test' } as never, 80), 'port'],
])('row 55, route parser shared, dash-safe: refused with a reason where %s', (_what, call, reason) => {
  expect(call).toThrow(expect.objectContaining({ code: REFUSED, message: expect.stringContaining(reason) }))
})

test('row 56, configurable domain suffixes: a new one needs no release', async () => {
  const url = 'https://cmux-abc-base-3000.brand-new.test'
  expect(() => routeFromUrl(url)).toThrow(expect.objectContaining({ code: REFUSED }))
  const { route, port } = routeFromUrl(url, { domains: { cmux: ['brand-new.test'] } })
  expect(route).toEqual(presets.cmux({ id: 'abc', scope: 'base', domain: 'brand-new.test' }))
  expect(urlFromRoute({ morphId: 'abc', scope: 'base', domainSuffix: 'brand-new.test' }, port)).toBe(url)
  expect(urlFromRoute(route, port)).toBe(url)
})

test.each(['a/b', 'a@b', 'a\r\nb', 'a b', '', '-a', 'a?', 'a:1', 'é'])(
  'row 57, route field validation: %j is refused by presets too, and as a domain',
  (bad) => {
    const calls: (() => unknown)[] = [
      () => presets.e2b({ sandbox: bad }),
      () => presets.e2b({ sandbox: 'a', domain: bad }),
      () => presets.cmux({ id: 'abc', scope: bad }),
      () => presets.coder({ agent: bad, workspace: 'w', user: 'u', domain: 'a.test' }),
      () => routeFromUrl('https://3000-a.e2b.app', { domains: { e2b: [bad] } }),
    ]
    for (const call of calls) {
      expect(call, String(call)).toThrow(expect.objectContaining({ code: REFUSED }))
    }
  },
)
