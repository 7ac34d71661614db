// Routes as an application makes them: by preset, from a preview URL, and with what stays local.
import { type PreviewRoute, presets, type RouteFromUrlOptions, routeFromUrl, urlFromRoute } from 'tabport'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { connectTunnel, undiciAgent } from './support/clients.ts'
import { startOrigin, startRawOrigin, startWorkspace, text } from './support/origin.ts'
import { startProxy } from './support/proxy.ts'

/** What the types forbid and JavaScript does not. */
const wrong = (value: unknown) => value as never

const codeAndMessage = (call: () => unknown) => {
  try {
    return { value: call() }
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
    const { code, message } = error as NodeJS.ErrnoException
    return { code, message }
  }
}

const refused = (message: string) => ({ code: 'ERR_TABPORT_INVALID_ROUTE', message: expect.stringContaining(message) })

type Row = [provider: PreviewRoute['provider'], preset: () => { upstream: string }, url: string]

const rows: Row[] = [
  ['cmux', () => presets.cmux({ id: 'abc123', scope: 'base' }), 'https://cmux-abc123-base-3000.cmux.app'],
  ['morph', () => presets.morph({ id: 'morphvm_abc' }), 'https://port-3000-morphvm-abc.http.cloud.morph.so'],
  ['codespaces', () => presets.codespaces({ name: 'octo-cat-mld5' }), 'https://octo-cat-mld5-3000.app.github.dev'],
  [
    'gitpod',
    () => presets.gitpod({ workspace: 'moccasin-ferret-155799b3', cluster: 'ws-eu45' }),
    'https://3000-moccasin-ferret-155799b3.ws-eu45.gitpod.io',
  ],
  [
    'coder',
    () => presets.coder({ agent: 'main', workspace: 'my-dev', user: 'dean', domain: '*.coder.example.com' }),
    'https://3000--main--my-dev--dean.coder.example.com',
  ],
  ['e2b', () => presets.e2b({ sandbox: 'i62mff4-b0b684e9' }), 'https://3000-i62mff4-b0b684e9.e2b.app'],
  [
    'daytona',
    () => presets.daytona({ sandbox: '3ef16dcf-2668', domain: 'proxy.daytona.work' }),
    'https://3000-3ef16dcf-2668.proxy.daytona.work',
  ],
]
const domains = { coder: ['coder.example.com'] }

describe.each(rows)('%s', (provider, preset, url) => {
  test('its preset and its preview URL make the same route', async () => {
    const route = preset()
    expect(Object.keys(route)).toEqual(['upstream'])
    expect(routeFromUrl(`${url}/x?y#z`, { domains })).toEqual({ provider, port: 3000, route })
    const proxy = await startProxy()
    expect(() => proxy.createContext(1, { ...route, local: ['localhost:5173'] })).not.toThrow()
  })

  test('the URL of a port is read as that port', () => {
    for (const port of [1, 80, 3000, 65_535]) {
      const other = urlFromRoute(preset(), port)
      expect(other).toBe(new URL(url.replace('3000', String(port))).origin)
      expect(routeFromUrl(other, { domains })).toEqual({ provider, port, route: preset() })
    }
  })
})

describe('presets', () => {
  const cases: [message: string, call: () => unknown][] = [
    ['options must be an object, not undefined', () => presets.e2b(wrong(undefined))],
    ['options must be an object, not "abc"', () => presets.e2b(wrong('abc'))],
    ['options has an unknown member "id"; its members are sandbox, domain', () => presets.e2b(wrong({ id: 'a' }))],
    ['options.sandbox is missing', () => presets.e2b(wrong({}))],
    ['options.sandbox must be a string, not 5', () => presets.e2b(wrong({ sandbox: 5 }))],
    ['options.sandbox is not a DNS label', () => presets.e2b({ sandbox: 'a.b' })],
    ['options.name is not a DNS label', () => presets.codespaces({ name: 'a\r\nb' })],
    ['options.name is not a DNS label', () => presets.codespaces({ name: 'a/b' })],
    ['options.name is not a DNS label', () => presets.codespaces({ name: 'a@b' })],
    ['options has a label of more than 63 characters', () => presets.codespaces({ name: 'a'.repeat(58) })],
    ['options.id is not letters and digits', () => presets.morph({ id: 'a-b' })],
    ['options can be read in two ways', () => presets.cmux({ id: 'a-b', scope: 'base' })],
    ['options.workspace', () => presets.gitpod({ workspace: 'ferret', cluster: 'ws' })],
    ['options.agent', () => presets.coder({ agent: 'a--b', workspace: 'w', user: 'u', domain: 'a.test' })],
    ['options.domain is missing', () => presets.daytona(wrong({ sandbox: 'a' }))],
    ['options.domain is not a domain name', () => presets.e2b({ sandbox: 'a', domain: 'a/b' })],
    ['options.domain is not a domain name', () => presets.e2b({ sandbox: 'a', domain: '127.0.0.1' })],
  ]
  test.each(cases)('%s', (message, call) => {
    expect(codeAndMessage(call)).toEqual(refused(message))
  })
})

describe('routeFromUrl', () => {
  const cases: [message: string, url: unknown, options?: unknown][] = [
    ['url must be a string, not undefined', undefined],
    ['url must be a string, not an object', new URL('https://3000-a.e2b.app')],
    ['url is not an http or https URL', '3000-a.e2b.app'],
    ['url is not an http or https URL', 'https://user:secret@3000-a.e2b.app'],
    ['expected the host {port}-{sandbox}.e2b.app', 'https://a.e2b.app'],
    ['expected the host {port}-{sandbox}.e2b.app', 'https://65536-a.e2b.app'],
    ['{name}-{port}.app.github.dev', 'https://example.com/'],
    ['url can be read in two ways, as cmux with id "a", scope "b-c" and', 'https://cmux-a-b-c-80.cmux.app'],
    ['url has a label of more than 63 characters', `https://1-${'a'.repeat(60)}.e2b.app`],
    ['options must be an object, not "x"', 'https://3000-a.e2b.app', 'x'],
    ['options has an unknown member "domain"', 'https://3000-a.e2b.app', { domain: {} }],
    ['options.domains has an unknown member "e3b"', 'https://3000-a.e2b.app', { domains: { e3b: [] } }],
    ['options.domains.e2b must be an array of strings', 'https://3000-a.e2b.app', { domains: { e2b: 'a.test' } }],
    ['options.domains.e2b[1] must be a string, not 5', 'https://3000-a.e2b.app', { domains: { e2b: ['a', 5] } }],
    ['options.domains is not a domain name', 'https://3000-a.e2b.app', { domains: { e2b: ['a b'] } }],
  ]
  test.each(cases)('%s', (message, url, options) => {
    const outcome = codeAndMessage(() => routeFromUrl(wrong(url), wrong(options)))
    expect(outcome).toEqual(refused(message))
    expect(outcome.message).not.toContain('secret')
  })

  test('a new domain needs no release', () => {
    const url = 'https://cmux-abc-base-3000.example.dev'
    expect(codeAndMessage(() => routeFromUrl(url))).toEqual(refused('is of no known provider'))
    const options: RouteFromUrlOptions = { domains: { cmux: ['example.dev'] } }
    expect(routeFromUrl(url, options).route).toEqual(presets.cmux({ id: 'abc', scope: 'base', domain: 'example.dev' }))
  })
})

describe('urlFromRoute', () => {
  test('takes any route that has a URL for each port', () => {
    expect(urlFromRoute({ morphId: 'abc', scope: 'base', domainSuffix: 'cmux.app' }, 80)).toBe(
      'https://cmux-abc-base-80.cmux.app',
    )
    expect(urlFromRoute({ upstream: 'http://127.18.0.1:{port}', local: ['localhost:80'] }, 80)).toBe(
      'http://127.18.0.1',
    )
  })

  const upstream = { upstream: 'https://{port}-a.test' }
  const cases: [message: string, route: unknown, port: unknown][] = [
    ['route must be a route, not undefined', undefined, 80],
    ['route is empty', {}, 80],
    ['route.upstream is not an origin', { upstream: 'x' }, 80],
    ['route.cmuxProxyOrigin has one origin for every port', { cmuxProxyOrigin: 'http://10.0.0.5:39379' }, 80],
    ...[undefined, '80', 0, 1.5, 65_536, Number.NaN].map((port): [string, unknown, unknown] => [
      'port must be an integer from 1 to 65535',
      upstream,
      port,
    ]),
  ]
  test.each(cases)('%s: refuses %j for %j', (message, route, port) => {
    expect(codeAndMessage(() => urlFromRoute(wrong(route), wrong(port)))).toEqual(refused(message))
  })
})

describe('local', () => {
  test('what is listed is dialled on the machine itself, and all else follows the route', async () => {
    const proxy = await startProxy()
    const { origin: workspace, bait, route } = await startWorkspace(text('workspace'))
    const own = await startOrigin(text('own'))
    const context = proxy.createContext(1, { ...route, local: [`localhost:${own.port}`] })
    const dispatcher = undiciAgent(proxy, context)
    const get = async (url: string) => (await request(url, { dispatcher })).body.text()
    expect(await get(`http://localhost:${own.port}/`)).toBe('own')
    expect(await get(`http://localhost:${workspace.port}/`)).toBe('workspace')
    expect(bait?.connections).toBe(0)
  })

  test('a tunnel to it is opaque', async () => {
    const proxy = await startProxy()
    const { route } = await startWorkspace()
    const own = await startRawOrigin((socket) => socket.end('not HTTP'))
    const context = proxy.createContext(1, { ...route, local: [`localhost:${own.port}`] })
    const { status, socket } = await connectTunnel(proxy, context, `localhost:${own.port}`)
    expect(status).toBe(200)
    const received: Buffer[] = []
    for await (const bytes of socket) received.push(bytes)
    expect(Buffer.concat(received).toString()).toBe('not HTTP')
  })

  const sparse: string[] = []
  sparse.length = 1
  const cases: [message: string, local: unknown][] = [
    ['route.local must be an array of strings, not "localhost:80"', 'localhost:80'],
    ['route.local must be an array of strings, not an object', { 0: 'localhost:80', length: 1 }],
    ['route.local[1] must be a string, not 80', ['localhost:80', 80]],
    ['route.local has nothing at 0', sparse],
    ['route.local.length', Array.from({ length: 2000 }, () => 'localhost:80')],
    ['route.local has an entry that is not a host and a port', ['localhost']],
    ['route.local has an entry that is not a host and a port', ['localhost:0']],
    ['route.local has an entry that is not a host and a port', ['http://localhost:80']],
    ['route.local has a host that is not loopback', ['localhost.evil.test:80']],
    ['route.local has a host that is not loopback', ['10.0.0.5:80']],
  ]
  test.each(cases)('%s', async (message, local) => {
    const proxy = await startProxy()
    const route = { upstream: 'http://127.18.0.1:{port}', local: wrong(local) }
    expect(codeAndMessage(() => proxy.createContext(1, route))).toEqual(refused(message))
    expect(proxy.stats().contexts).toBe(0)
  })

  test.each([[[]], [['localhost:80']]])('%j alone is no route', async (local) => {
    const proxy = await startProxy()
    const outcome = codeAndMessage(() => proxy.createContext(1, wrong({ local })))
    expect(outcome).toEqual(refused('route has nothing but local'))
  })

  test('goes with every kind of route', async () => {
    const proxy = await startProxy()
    const local = ['localhost:80']
    const routes = [
      { morphId: 'abc', scope: 'base', domainSuffix: 'preview.test', local },
      { cmuxProxyOrigin: 'http://127.0.0.1:1', local },
      { upstream: 'http://127.18.0.1:{port}', local },
    ]
    for (const [at, route] of routes.entries()) expect(() => proxy.createContext(at, route)).not.toThrow()
  })
})
