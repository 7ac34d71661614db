// Clients that speak HTTP/2 to the proxy by prior knowledge, on the port where others speak HTTP/1.1.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http2 from 'node:http2'
import { describe, expect, test } from 'vitest'
import { http2Request, http2Session } from './support/clients.ts'
import { startOrigin, startRawOrigin, startTlsOrigin, startWorkspace, text } from './support/origin.ts'
import { until, within } from './support/poll.ts'
import { basic, previewTo, startProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-client.ts'

describe('prior knowledge', () => {
  test('GET', async () => {
    const { origin, bait, session, get } = await fixture()
    const answer = await http2Request(session, get('/x?y'))
    expect(answer.status).toBe(200)
    expect(JSON.parse(String(answer.body))).toMatchObject({ method: 'GET', url: '/x?y' })
    expect(origin.seen).toMatchObject([{ version: '1.1', headers: { host: `127.18.0.1:${origin.port}` } }])
    expect(bait.connections).toBe(0)
  })

  test('POST of 10 MiB and back', async () => {
    const { session, get } = await fixture((incoming, response) => {
      incoming.pipe(response)
    })
    const sent = randomBytes(10 * 1024 * 1024)
    const answer = await http2Request(session, { ...get('/'), ':method': 'POST' }, sent)
    expect(answer.body.length).toBe(sent.length)
    expect(digest(answer.body)).toBe(digest(sent))
  })

  test('many streams at once, each with its own answer', async () => {
    const { session, get, proxy } = await fixture()
    const paths = Array.from({ length: 50 }, (_, index) => `/${index}`)
    const answers = await Promise.all(paths.map((path) => http2Request(session, get(path))))
    expect(answers.map(({ body }) => JSON.parse(String(body)).url)).toEqual(paths)
    expect(proxy.stats().total.connections).toBe(1)
  })

  test('without credentials the stream is answered 407, and the session goes on', async () => {
    const { origin, session, get } = await fixture()
    const { 'proxy-authorization': _, ...anonymous } = get('/')
    const refused = await http2Request(session, anonymous)
    expect(refused.status).toBe(407)
    expect(refused.headers['proxy-authenticate']).toBe('Basic realm="tabport"')
    expect(origin.connections).toBe(0)
    expect((await http2Request(session, get('/'))).status).toBe(200)
  })

  test('contexts on one connection are told apart by stream', async () => {
    const one = await startWorkspace(text('one'), '127.18.0.1')
    await startOrigin(text('two'), { host: '127.18.0.2', port: one.origin.port })
    const proxy = await startProxy()
    const session = http2Session(proxy)
    const ask = async (id: number, upstream: string) => {
      const fields = { ':authority': `localhost:${one.origin.port}`, ':scheme': 'http', ':path': '/' }
      const credentials = basic(proxy.createContext(id, { upstream }))
      return String((await http2Request(session, { ...fields, 'proxy-authorization': credentials })).body)
    }
    expect(await Promise.all([ask(1, 'http://127.18.0.1:{port}'), ask(2, 'http://127.18.0.2:{port}')])).toEqual([
      'one',
      'two',
    ])
  })

  test('CONNECT to a routed name is served by the workspace', async () => {
    const { origin, bait, session, context } = await fixture()
    const authority = `localhost:${origin.port}`
    const stream = session.request(
      { ':method': 'CONNECT', ':authority': authority, 'proxy-authorization': basic(context) },
      { endStream: false },
    )
    const [head] = await within('the answer', once(stream, 'response'))
    expect(head[':status']).toBe(200)
    const received: string[] = []
    stream.on('data', (chunk) => received.push(String(chunk)))
    stream.write(`GET /inside HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    await until('the answer inside', () => received.join('').includes('"/inside"'))
    expect(bait.connections).toBe(0)
  })

  test('CONNECT without a route is a tunnel', async () => {
    const echo = await startRawOrigin((socket) => socket.pipe(socket))
    const proxy = await startProxy()
    const stream = http2Session(proxy).request(
      {
        ':method': 'CONNECT',
        ':authority': `127.0.0.1:${echo.port}`,
        'proxy-authorization': basic(proxy.createContext(1)),
      },
      { endStream: false },
    )
    const [head] = await within('the answer', once(stream, 'response'))
    expect(head[':status']).toBe(200)
    stream.end('there and back')
    const chunks = await within('the echo', stream.toArray())
    expect(Buffer.concat(chunks).toString()).toBe('there and back')
  })

  test('a cookie split into crumbs reaches an HTTP/1.1 origin as one', async () => {
    const { origin, session, get } = await fixture()
    await http2Request(session, { ...get('/'), cookie: ['a=1', 'b=2'] as never })
    expect(origin.seen[0]?.rawHeaders.filter((name) => name.toLowerCase() === 'cookie')).toHaveLength(1)
    expect(origin.seen[0]?.headers.cookie).toBe('a=1; b=2')
  })
})

describe.each([[['http/1.1']], [['h2']]] as const)('interim responses of an upstream that speaks %s', (protocols) => {
  test('reach a client that waits to send its body', async () => {
    const origin = await startTlsOrigin(
      (request, response) => {
        response.writeEarlyHints({ link: ['</a>; rel=preload', '</b>; rel=preload'] })
        request.pipe(response)
      },
      [...protocols],
    )
    const proxy = await startProxy(previewTo(origin.port, 'origin'))
    const request = http2Session(proxy).request({
      ':method': 'POST',
      ':scheme': 'https',
      ':authority': 'origin.preview.test',
      ':path': '/',
      expect: '100-continue',
      'proxy-authorization': basic(proxy.createContext(1)),
    })
    const early: unknown[] = []
    request.on('headers', (head) => early.push([head[':status'], head.link]))
    await within('100', once(request, 'continue'))
    request.end('there and back')
    expect((await within('the answer', once(request, 'response')))[0][':status']).toBe(200)
    expect(Buffer.concat(await within('the body', request.toArray())).toString()).toBe('there and back')
    expect(early).toEqual([
      [100, undefined],
      [103, '</a>; rel=preload, </b>; rel=preload'],
    ])
  })
})

describe('with http2 switched off', () => {
  test('the preface is refused', async () => {
    const proxy = await startProxy({ http2: false })
    const client = await RawClient.connect(proxy.port())
    client.send(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), http2.getPackedSettings({})]))
    expect(await client.rest()).toMatch(/^(HTTP\/1\.1 (400|505) |$)/)
  })

  test('a client that insists gets no answer', async () => {
    const origin = await startOrigin()
    const proxy = await startProxy({ http2: false })
    const fields = { ':authority': `127.0.0.1:${origin.port}`, 'proxy-authorization': basic(proxy.createContext(1)) }
    await expect(within('a refusal', http2Request(http2Session(proxy), fields))).rejects.toThrow(
      /protocol|reset|ended without/i,
    )
    expect(origin.connections).toBe(0)
  })

  test('HTTP/1.1 is served as ever', async () => {
    const proxy = await startProxy({ http2: false })
    const client = await RawClient.connect(proxy.port())
    client.send('GET http://localhost:1/ HTTP/1.1\r\nHost: localhost:1\r\n\r\n')
    expect((await client.response()).status).toBe(407)
  })
})

async function fixture(...answer: Parameters<typeof startWorkspace>) {
  const { origin, bait, route } = await startWorkspace(...answer)
  const proxy = await startProxy()
  const context = proxy.createContext(1, route)
  const get = (path: string) => ({
    ':method': 'GET',
    ':scheme': 'http',
    ':authority': `localhost:${origin.port}`,
    ':path': path,
    'proxy-authorization': basic(context),
  })
  return { origin, bait, proxy, context, get, session: http2Session(proxy) }
}

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
