// The next proxy: what goes through it, and how a function chooses it.
import { once } from 'node:events'
import { type ListenOptions, type ProxyEvent, ProxyServer } from 'tabport'
import { request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { ca } from './support/certificates.ts'
import { connectTunnel, curl, undiciAgent, webSocketByAbsoluteForm, webSocketByConnect } from './support/clients.ts'
import { type NextProxy, startHttpProxy, startSocksProxy } from './support/next-proxy.ts'
import { startOrigin, startRawOrigin, startTlsOrigin, startWorkspace, text } from './support/origin.ts'
import { until } from './support/poll.ts'
import { startObserved, startProxy } from './support/proxy.ts'

const WANTS = 'us er:p@ss:w/rd'
const USERINFO = 'us%20er:p%40ss%3Aw%2Frd'

type Start = (to: number) => Promise<{ next: NextProxy; options: ListenOptions }>

const starts: [kind: string, start: Start][] = [
  ['http', plainly(startHttpProxy, 'http')],
  ['socks5', plainly(startSocksProxy, 'socks5')],
  ['https', overTls],
]

function plainly(startNext: typeof startHttpProxy, scheme: string): Start {
  return async (to) => {
    const next = await startNext({ to, wants: WANTS })
    return { next, options: { upstreamProxy: `${scheme}://${USERINFO}@${next.at}` } }
  }
}

async function overTls(to: number) {
  const next = await startHttpProxy({ to, wants: WANTS, secure: true })
  const upstreamProxy = `https://${USERINFO}@next.preview.test`
  return { next, options: { upstreamProxy, connectTo: { 'next.preview.test:443': next.at }, extraCa: ca } }
}

describe.each(starts)('a proxy of the kind %s', (_kind, start) => {
  test('leads to a plain origin', async () => {
    const origin = await startOrigin()
    const { next, options } = await start(origin.port)
    const proxy = await startProxy(options)
    const dispatcher = undiciAgent(proxy, proxy.createContext(1))
    for (const path of ['/one?q', '/two']) {
      const { statusCode, body } = await request(`http://site.example${path}`, { dispatcher })
      expect([statusCode, await body.json()]).toEqual([200, { method: 'GET', url: path, host: 'site.example' }])
    }
    expect(new Set(next.asked)).toEqual(new Set(['site.example:80']))
    expect(new Set(next.credentials)).toEqual(new Set([WANTS]))
    expect(origin.seen[0]?.headers).not.toHaveProperty('proxy-authorization')
  })

  test('leads to an HTTPS origin, for a route and through a tunnel', async () => {
    const origin = await startTlsOrigin(text('over TLS'), ['h2', 'http/1.1'])
    const { next, options } = await start(origin.port)
    const proxy = await startProxy({ ...options, extraCa: ca })
    const context = proxy.createContext(1)
    const routed = proxy.createContext(2, { upstream: 'https://site.preview.test' })
    const { body } = await request('http://localhost:3000/', { dispatcher: undiciAgent(proxy, routed) })
    expect(await body.text()).toBe('over TLS')
    const url = 'https://site.preview.test/'
    const through = ['-x', `http://127.0.0.1:${proxy.port()}`, '-U', `${context.username}:${context.password}`]
    expect(await curl(...through, '--insecure', url)).toBe('over TLS')
    expect(next.asked).toEqual(['site.preview.test:443', 'site.preview.test:443'])
    expect(origin.seen).toMatchObject([{ version: '2.0' }, { alpn: expect.anything() }])
  })

  test('leads to a WebSocket, in both forms', async () => {
    const origin = await startOrigin()
    const server = new WebSocketServer({ server: origin.server as never })
    server.on('connection', (socket) => socket.send('welcome'))
    onTestFinished(() => void server.close())
    const { options } = await start(origin.port)
    const proxy = await startProxy(options)
    const context = proxy.createContext(1)
    const sockets = [
      await webSocketByConnect(proxy, context, 'site.example:81'),
      webSocketByAbsoluteForm(proxy, context, 'site.example:81'),
    ]
    // Both are listened to from the start: the second may be welcomed before the first.
    const welcomes = await Promise.all(sockets.map((socket) => once(socket, 'message')))
    expect(welcomes.map(([welcome]) => String(welcome))).toEqual(['welcome', 'welcome'])
  })

  test('leads to a server that speaks first, and carries half-close', async () => {
    const origin = await startRawOrigin((socket) => {
      socket.write('220 ready\r\n')
      socket.once('end', () => socket.end('bye')).resume()
    })
    const { options } = await start(origin.port)
    const proxy = await startProxy(options)
    const { status, socket } = await connectTunnel(proxy, proxy.createContext(1), 'mail.example:25')
    expect(status).toBe(200)
    socket.end('quit')
    let received = ''
    for await (const bytes of socket) received += bytes
    expect(received).toBe('220 ready\r\nbye')
  })

  test('is asked for a route that leads to a public host, and never for this machine', async () => {
    const { origin, route } = await startWorkspace(text('workspace'))
    const publicOrigin = await startOrigin(text('public'))
    const { next, options } = await start(publicOrigin.port)
    const proxy = await startProxy(options)
    const ask = async (route: object | undefined, url: string) => {
      const dispatcher = undiciAgent(proxy, proxy.createContext(1, route as never))
      return (await request(url, { dispatcher })).body.text()
    }
    expect(await ask(route, `http://localhost:${origin.port}/`)).toBe('workspace')
    expect(await ask(undefined, `http://127.18.0.1:${origin.port}/`)).toBe('workspace')
    expect(next.asked).toEqual([])
    expect(await ask({ upstream: 'http://{port}-abc.preview.example' }, 'http://localhost:3000/')).toBe('public')
    expect(next.asked).toEqual(['3000-abc.preview.example:80'])
  })

  test('that wants other credentials is a 502, and the tab keeps its own', async () => {
    const { options } = await start(0)
    const upstreamProxy = (options.upstreamProxy as string).replace(USERINFO, 'user-secret:password-secret')
    const { proxy, events } = await startObserved({ ...options, upstreamProxy })
    const context = proxy.createContext(1)
    const answer = await request('http://site.example/', { dispatcher: undiciAgent(proxy, context) })
    const said = await answer.body.text()
    expect(answer.statusCode).toBe(502)
    expect(said).toBe('the next proxy refused the credentials\n')
    expect(answer.headers['proxy-status']).toBe('tabport; error=proxy_configuration_error')
    expect((await connectTunnel(proxy, context, 'site.example:443')).status).toBe(502)
    await until('both failures', () => events.filter(({ type }) => type === 'error').length === 2)
    expect(JSON.stringify([said, answer.headers, events])).not.toContain('secret')
  })

  test('that cannot reach the upstream says so', async () => {
    const { options } = await start(0)
    const proxy = await startProxy(options)
    const answer = await request('http://site.example/', { dispatcher: undiciAgent(proxy, proxy.createContext(1)) })
    expect(answer.statusCode).toBe(502)
    expect(await answer.body.text()).toMatch(/^the next proxy refused the tunnel(: connection refused| with 502)\n$/)
  })
})

describe('a function', () => {
  test('is asked once about each origin, without path and query', async () => {
    const origin = await startOrigin(text('through'))
    const next = await startHttpProxy({ to: origin.port })
    const asked: string[] = []
    const { ask, tunnel } = await choosing((url) => {
      asked.push(url)
      return `PROXY ${next.at}`
    })
    expect(await ask('http://site.example/path?query=secret')).toBe('through')
    expect(await ask('http://site.example/')).toBe('through')
    expect(await ask('http://site.example:8080/')).toBe('through')
    expect(await tunnel('site.example:443')).toBe(200)
    expect(await tunnel('[2001:db8::1]:8443')).toBe(200)
    expect(asked).toEqual([
      'http://site.example/',
      'http://site.example:8080/',
      'https://site.example/',
      'https://[2001:db8::1]:8443/',
    ])
  })

  test('may promise its answer, which may be a URL with credentials', async () => {
    const origin = await startOrigin(text('through'))
    const next = await startSocksProxy({ to: origin.port, wants: WANTS })
    const { ask } = await choosing(async () => `socks5://${USERINFO}@${next.at}`)
    expect(await ask('http://site.example/')).toBe('through')
  })

  test('may give a list, of which the next is used where one cannot be reached', async () => {
    const origin = await startOrigin(text('through'))
    const [dead, next] = [await startHttpProxy(), await startSocksProxy({ to: origin.port })]
    const { ask } = await choosing(() => `PROXY 127.0.0.1:1; SOCKS5 ${next.at}; PROXY ${dead.at}; DIRECT`)
    expect(await ask('http://site.example/')).toBe('through')
    expect(dead.asked).toEqual([])
  })

  test('may say DIRECT', async () => {
    const { ask } = await choosing(() => 'DIRECT')
    expect(await ask(NOWHERE)).toBe('502 the upstream refused the connection\n')
  })

  const NOWHERE = 'http://255.255.255.255:9/'
  const none = 'the upstreamProxy function'
  const answers: [what: string, choose: () => unknown, reason: string][] = [
    ['throws', () => fail(new Error('secret')), `${none} threw`],
    ['throws what is no error', () => fail('secret'), `${none} threw`],
    ['rejects', () => Promise.reject(new Error('secret')), `${none}'s promise was rejected`],
    ['rejects with nothing', () => Promise.reject(), `${none}'s promise was rejected`],
    ['never settles', () => new Promise(() => {}), 'there was no answer in time'],
    ...[undefined, null, 5, true, {}, [], Symbol('secret'), '', 'secret', 'PROXY', 'SOCKS a.example; DIRECT'].map(
      (value): [string, () => unknown, string] => [
        `gives ${String(value) || 'an empty string'}`,
        () => value,
        `${none} gave neither a proxy's URL nor a PAC result`,
      ],
    ),
    ['promises nonsense', async () => 5, `${none} gave neither a proxy's URL nor a PAC result`],
    // biome-ignore lint/suspicious/noThenProperty: it is what is tested
    ['gives a thenable', () => ({ then: () => {} }), `${none} gave neither a proxy's URL nor a PAC result`],
    ['gives what is none', () => 'http://user:secret@', `${none} gave neither a proxy's URL nor a PAC result`],
  ]
  test.each(answers)('that %s is a 502, and nothing goes direct', async (_what, choose, reason) => {
    const { ask, events } = await choosing(choose as never, { timeouts: { connect: 500 } })
    const said = await ask(NOWHERE)
    expect(said).toBe(`502 which proxy to use could not be found out: ${reason}\n`)
    await until('the event', () => events.some(({ type }) => type === 'error'))
    expect(JSON.stringify([said, events])).not.toContain('secret')
  })

  test('that fails once is asked again', async () => {
    const next = await startHttpProxy({ to: (await startOrigin(text('through'))).port })
    let calls = 0
    const { ask } = await choosing(() => (++calls === 1 ? fail(new Error()) : `PROXY ${next.at}`))
    expect(await ask('http://site.example/')).toContain('threw')
    expect(await ask('http://site.example/')).toBe('through')
  })

  test('that answers after the proxy has stopped disturbs nobody', async () => {
    let answer = (_: string): void => {}
    const { ask, proxy } = await choosing(() => new Promise((resolve) => (answer = resolve)))
    const asking = ask('http://site.example/').catch(() => 'cut')
    await until('the function to be asked', () => proxy.stats().requests === 1)
    await proxy.stop()
    answer('DIRECT')
    expect(await asking).not.toBe('through')
  })
})

describe('listen', () => {
  const URLS = [
    '',
    'system',
    'secret',
    'proxy.example:3128',
    'ftp://user:secret@proxy.example',
    'socks4://user:secret@proxy.example',
    'http://user:secret@',
    'http://user:secret@proxy.example:0',
    'http://user:secret@proxy.example/path',
    'http://user:secret%@proxy.example',
    'http://user:secret%0a@proxy.example',
    'socks5://user-secret@proxy.example',
    'http://user:secret@proxy.example\r\n',
    'PROXY proxy-secret.example:80',
  ]
  test.each([...URLS, 5, null, true, {}, []])('refuses %j for upstreamProxy', async (upstreamProxy) => {
    const refused = await ProxyServer.listen({ upstreamProxy: upstreamProxy as never }).catch((error) => error)
    expect(refused).toMatchObject({ code: 'ERR_TABPORT_INVALID_ARGUMENT' })
    expect(refused.message).toMatch(/^options\.upstreamProxy (must be|has) /)
    expect(String(refused.stack)).not.toContain('secret')
  })
})

function fail(error: unknown): never {
  throw error
}

/** A proxy with a function, and what a client sees: the body of a 200, or the status and the text. */
async function choosing(choose: (url: string) => string | Promise<string>, options: ListenOptions = {}) {
  const { proxy, events }: { proxy: ProxyServer; events: ProxyEvent[] } = await startObserved({
    ...options,
    upstreamProxy: choose,
  })
  const context = proxy.createContext(1)
  const ask = async (url: string) => {
    const { statusCode, body } = await request(url, { dispatcher: undiciAgent(proxy, context) })
    return statusCode === 200 ? body.text() : `${statusCode} ${await body.text()}`
  }
  const tunnel = async (authority: string) => (await connectTunnel(proxy, context, authority)).status
  return { proxy, events, ask, tunnel }
}
