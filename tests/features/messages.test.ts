// The rows about what arrives of a request and of its response, whatever each side speaks.
import { once } from 'node:events'
import { constants, type Http2ServerResponse } from 'node:http2'
import type { ProxyContextInfo, ProxyServer } from 'tabport'
import { expect, test } from 'vitest'
import { http2Request, http2Session } from '../support/clients.ts'
import { type Answer, type Origin, startRawOrigin, startTlsOrigin, startWorkspace } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { basic, previewTo, startProxy } from '../support/proxy.ts'
import { RawClient } from '../support/raw-client.ts'
import { connectTo, FORMS, inAbsoluteForm, request, SWITCHED, tab, WEBSOCKET } from './fixture.ts'

type Version = 'HTTP/1.1' | 'HTTP/2'
type Upstream = (answer?: Answer) => Promise<{ origin: Origin; proxy: ProxyServer; context: ProxyContextInfo }>

const overTls =
  (...protocols: ('h2' | 'http/1.1')[]): Upstream =>
  async (answer) => {
    const origin = await startTlsOrigin(answer, protocols)
    const proxy = await startProxy(previewTo(origin.port, '3000-ws'))
    return { origin, proxy, context: proxy.createContext(1, { upstream: 'https://{port}-ws.preview.test' }) }
  }
const plain: Upstream = async (answer) => {
  const { origin, route } = await startWorkspace(answer)
  const proxy = await startProxy({ connectTo: { '127.18.0.1:3000': `127.18.0.1:${origin.port}` } })
  return { origin, proxy, context: proxy.createContext(1, route) }
}

const AUTHORITY = 'localhost:3000'
const PAIRS: [client: Version, upstream: Version, start: Upstream][] = [
  ['HTTP/1.1', 'HTTP/1.1', plain],
  ['HTTP/2', 'HTTP/1.1', plain],
  ['HTTP/1.1', 'HTTP/2', overTls('h2', 'http/1.1')],
  ['HTTP/2', 'HTTP/2', overTls('h2', 'http/1.1')],
]

const pseudo = (context: ProxyContextInfo) => ({
  ...{ ':method': 'GET', ':scheme': 'http', ':authority': AUTHORITY, ':path': '/' },
  'proxy-authorization': basic(context),
})

/** Asks in one version and gives the fields of the answer as they were sent. */
async function fieldsOf(client: Version, proxy: ProxyServer, context: ProxyContextInfo, fields = {}) {
  if (client === 'HTTP/2') {
    const { status, headers } = await http2Request(http2Session(proxy), { ...pseudo(context), ...fields })
    expect(status).toBe(200)
    return (name: string) => [headers[name] ?? []].flat()
  }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const asked = await inAbsoluteForm({ proxy, context, authority: AUTHORITY }, { fields: lines.join('') })
  const head = await asked.head()
  expect(head.status).toBe(200)
  return head.all
}

test.each(PAIRS)('row 18, multiple Set-Cookie preserved: to %s from %s', async (client, version, start) => {
  const cookies = ['a=1; Path=/', 'b=2, still b', 'a=3']
  const { origin, proxy, context } = await start((_request, response) => {
    response.setHeader('Set-Cookie', cookies)
    response.end()
  })
  expect((await fieldsOf(client, proxy, context))('set-cookie')).toEqual(cookies)
  expect(origin.seen).toMatchObject([{ version: version === 'HTTP/2' ? '2.0' : '1.1' }])
})

test.each(PAIRS)('row 19, hop-by-hop incl. Connection-nominated: from %s to %s', async (client, version, start) => {
  const { origin, proxy, context } = await start((_request, response) => {
    if (version === 'HTTP/1.1') response.setHeader('Connection', 'x-foo, keep-alive')
    for (const name of version === 'HTTP/1.1' ? ['X-Foo', 'Keep-Alive', 'X-Kept'] : ['X-Kept']) {
      response.setHeader(name, '1')
    }
    response.end()
  })
  const hop = { Connection: 'X-Foo', 'X-Foo': '1', 'Keep-Alive': '1', 'Proxy-Connection': 'keep-alive' }
  const asked = client === 'HTTP/1.1' ? { ...hop, TE: 'trailers, gzip' } : { te: 'trailers' }
  const received = await fieldsOf(client, proxy, context, { ...asked, 'x-kept': '1' })
  expect(received('x-kept')).toEqual(['1'])
  expect([...received('x-foo'), ...received('keep-alive'), ...received('connection')]).toEqual([])
  const { headers } = origin.seen[0] ?? expect.unreachable()
  // On HTTP/1.1 TE is of one hop too, and says so; HTTP/2 has no Connection (RFC 9113, section 8.2.2).
  const te = version === 'HTTP/1.1' ? { te: 'trailers', connection: 'te' } : { te: 'trailers' }
  expect(headers).toMatchObject({ 'x-kept': '1', ...te })
  const gone = ['x-foo', 'keep-alive', 'proxy-connection', 'proxy-authorization']
  for (const name of version === 'HTTP/1.1' ? gone : [...gone, 'connection']) expect(headers).not.toHaveProperty(name)
})

const SPOOFED = ['Port-Internal', 'Workspace-Internal', 'Host-Override', 'Proxied', 'Anything']
  .map((name) => `X-Cmux-${name}: spoofed\r\n`)
  .join('')

test.each(FORMS)(
  'row 20, X-Cmux-* spoof protection: %s, nothing of the client reaches an upstream',
  async (_f, ask) => {
    const { origin, ...to } = await tab()
    const gateway = to.proxy.createContext(2, { cmuxProxyOrigin: `http://127.18.0.1:${origin.port}`, workspace: 'w' })
    for (const context of [to.context, gateway]) {
      await ask({ ...to, context }, { fields: SPOOFED })
      await ask({ ...to, context }, { fields: SPOOFED + WEBSOCKET })
    }
    await until('all four', () => origin.seen.length === 4)
    expect(JSON.stringify(origin.seen)).not.toContain('spoofed')
  },
)

test('row 20, X-Cmux-* spoof protection: nor by the fields of a CONNECT, to a gateway that is asked for a tunnel', async () => {
  const { origin, proxy, authority } = await tab()
  origin.server.on('connect', (_request, stream) => stream.end('HTTP/1.1 200 OK\r\n\r\n'))
  const context = proxy.createContext(2, { cmuxProxyOrigin: `http://127.18.0.1:${origin.port}` })
  const client = await RawClient.connect(proxy.port())
  client.send(connectTo({ context, authority }).replace('\r\n\r\n', `\r\n${SPOOFED}\r\n`))
  expect((await client.head()).status).toBe(200)
  client.send(Uint8Array.of(0, 1, 2))
  await until('the tunnel', () => origin.seen.length === 1)
  expect(origin.seen).toMatchObject([{ method: 'CONNECT' }])
  expect(JSON.stringify(origin.seen)).not.toContain('spoofed')
})

test.each(FORMS)('row 34, streaming both ways, backpressure: %s, the first event comes at once', async (_form, ask) => {
  const { origin, ...to } = await tab((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.write('data: first\n\n')
  })
  const client = await ask(to)
  expect((await client.head()).status).toBe(200)
  await until('the event, of a response without an end', () => client.received.includes('data: first\n\n'))
  expect([client.ended, origin.sockets.size]).toEqual([false, 1])
})

test.each(FORMS)('row 36, half-close, leftover bytes: %s, those sent with a request for 101', async (_form, ask) => {
  const { origin, ...to } = await tab()
  origin.server.on('upgrade', (_request, stream, early: Buffer) => {
    // The server's first bytes are in one segment with its 101, and so were the client's.
    stream.write(`${SWITCHED}\r\nserver first, `)
    const client = [early]
    stream.on('data', (bytes: Buffer) => client.push(bytes))
    stream.on('end', () => stream.end(`client said: ${Buffer.concat(client)}`))
  })
  const client = await ask(to, { fields: WEBSOCKET, body: 'client too' })
  expect((await client.head()).status).toBe(101)
  client.socket.end()
  expect(await client.rest()).toBe('server first, client said: client too')
})

test('row 36, half-close, leftover bytes: those sent with a CONNECT', async () => {
  const origin = await startRawOrigin((socket) => {
    const chunks: Buffer[] = [Buffer.from('you said: ')]
    socket.write('server first, ')
    socket.on('data', (bytes) => chunks.push(bytes)).on('end', () => socket.end(Buffer.concat(chunks)))
  })
  const proxy = await startProxy()
  const context = proxy.createContext(1)
  const client = await RawClient.connect(proxy.port())
  client.send(`${connectTo({ context, authority: `127.0.0.1:${origin.port}` })}client too\0\xff`)
  expect((await client.head()).status).toBe(200)
  client.socket.end()
  expect(await client.rest()).toBe(`server first, you said: ${Buffer.from('client too\0\xff').toString('latin1')}`)
})

test('row 36, half-close, leftover bytes: those sent with a CONNECT that is looked into', async () => {
  const { origin, ...to } = await tab()
  const client = await RawClient.connect(to.proxy.port())
  client.send(connectTo(to) + request('GET /early', to.authority) + request('GET /earlier', to.authority))
  expect((await client.head()).status).toBe(200)
  client.socket.end()
  expect((await client.response()).body).toContain('"/early"')
  expect((await client.response()).body).toContain('"/earlier"')
  expect(origin.seen.map(({ url }) => url)).toEqual(['/early', '/earlier'])
})

const GRPC = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }

test('row 37, trailers, gRPC: of an h2 upstream reach an h2 client', async () => {
  const { origin, proxy, context } = await overTls('h2')((asked, response) => {
    response.writeHead(200, { 'Content-Type': 'application/grpc' })
    response.addTrailers({ 'grpc-status': '0', 'grpc-message': `te: ${asked.headers.te}` })
    asked.pipe(response)
  })
  const stream = http2Session(proxy).request({ ...pseudo(context), ...GRPC }, { endStream: false })
  const trailers = once(stream, 'trailers')
  stream.end('\0\0\0\0\x01x')
  expect(String(Buffer.concat(await within('the body', stream.toArray())))).toBe('\0\0\0\0\x01x')
  const [received] = await within('the trailers', trailers)
  expect(received).toMatchObject({ 'grpc-status': '0', 'grpc-message': 'te: trailers' })
  expect(origin.seen).toMatchObject([{ version: '2.0', method: 'POST' }])
})

test('row 37, trailers, gRPC: an answer of a head alone stays one', async () => {
  const { proxy, context } = await overTls('h2')((_request, response) => {
    const { stream } = response as unknown as Http2ServerResponse
    stream.respond({ 'content-type': 'application/grpc', 'grpc-status': '5' }, { endStream: true })
  })
  const stream = http2Session(proxy).request({ ...pseudo(context), ...GRPC }, { endStream: false })
  stream.end('x')
  const [head, flags] = await within('the head', once(stream, 'response'))
  const { NGHTTP2_FLAG_END_STREAM } = constants
  expect([head['grpc-status'], flags & NGHTTP2_FLAG_END_STREAM]).toEqual(['5', NGHTTP2_FLAG_END_STREAM])
})

test('row 37, trailers, gRPC: of an HTTP/1.1 upstream reach a client of either version', async () => {
  const { origin, ...to } = await tab((_request, response) => {
    response.writeHead(200, { Trailer: 'X-Sum' })
    response.write('body')
    response.addTrailers({ 'X-Sum': '7' })
    response.end()
  })
  const client = await inAbsoluteForm(to, { fields: 'TE: trailers\r\nConnection: TE\r\n' })
  expect((await client.head()).status).toBe(200)
  await until('the trailers', () => String(client.received) === '4\r\nbody\r\n0\r\nX-Sum: 7\r\n\r\n')
  const asked = { ...pseudo(to.context), ':authority': to.authority, te: 'trailers' }
  const stream = http2Session(to.proxy).request(asked)
  const trailers = once(stream, 'trailers')
  stream.resume()
  expect((await within('the trailers', trailers))[0]).toMatchObject({ 'x-sum': '7' })
})

const expectsLater = 'Expect: 100-continue\r\nContent-Length: 4\r\n'

test.each(FORMS)('row 38, Expect: 100-continue, 1xx, HEAD/204/304: %s, each as it was sent', async (_form, ask) => {
  const { origin, ...to } = await tab((asked, response) => {
    const status = Number(asked.url?.slice(1)) || 200
    if (status === 103) response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.setHeader('X-Body-Of', `${asked.method} ${asked.url}`)
    if (status === 204 || status === 304) return response.writeHead(status).end()
    response.setHeader('Content-Length', 4)
    if (asked.method === 'POST') asked.pipe(response)
    else response.end('body')
  })
  const client = await ask(to, { method: 'POST', fields: expectsLater })
  expect((await client.head()).status).toBe(100)
  expect(await client.send('sent').response()).toMatchObject({ status: 200, body: 'sent' })
  await ask(to, { path: '/103' }, client)
  expect((await client.head()).all('Link')).toEqual(['</style.css>; rel=preload'])
  expect(await client.response()).toMatchObject({ status: 200, body: 'body' })
  await ask(to, { method: 'HEAD' }, client)
  const head = await client.head()
  expect([head.status, head.all('Content-Length')]).toEqual([200, ['4']])
  for (const path of ['/204', '/304']) {
    await ask(to, { path }, client)
    const { status, all } = await client.head()
    expect([`/${status}`, all('X-Body-Of'), all('Transfer-Encoding')]).toEqual([path, [`GET ${path}`], []])
  }
  await ask(to, { path: '/last' }, client)
  expect(await client.response()).toMatchObject({ status: 200, body: 'body' })
  expect(origin.seen).toHaveLength(6)
})

test.each(FORMS)(
  'row 38, Expect: 100-continue, 1xx, HEAD/204/304: %s, a refusal in place of a 100',
  async (_f, ask) => {
    const { origin, ...to } = await tab()
    origin.server.on('checkContinue', (_request, response) => response.writeHead(413, { 'Content-Length': 0 }).end())
    const client = await ask(to, { method: 'POST', fields: expectsLater })
    expect((await client.head()).status).toBe(413)
  },
)
