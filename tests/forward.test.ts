// Requests in absolute form: where they go, and that they arrive as they were sent.
import { createHash, randomBytes } from 'node:crypto'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { curl, undiciAgent } from './support/clients.ts'
import { type Answer, startOrigin, startRawOrigin, startWorkspace, text } from './support/origin.ts'
import { until } from './support/poll.ts'
import { authorization, basic, startProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-client.ts'

const MEBIBYTE = 1024 * 1024

describe('where a request goes', () => {
  test('two contexts ask for one URL and get two workspaces', async () => {
    const one = await startWorkspace(text('one'), '127.18.0.1')
    const two = await startOrigin(text('two'), { host: '127.18.0.2', port: one.origin.port })
    const proxy = await startProxy()
    const url = `http://localhost:${one.origin.port}/`
    const first = proxy.createContext(1, one.route)
    const second = proxy.createContext(2, { upstream: 'http://127.18.0.2:{port}' })

    const bodies = [first, second].map(async (context) => {
      const { body } = await request(url, { dispatcher: undiciAgent(proxy, context) })
      return body.text()
    })
    expect(await Promise.all(bodies)).toEqual(['one', 'two'])
    expect([one.origin.seen.length, two.seen.length, one.bait.connections]).toEqual([1, 1, 0])
    expect(one.origin.seen[0]?.headers.host).toBe(`127.18.0.1:${one.origin.port}`)
  })

  test.each([
    'localhost',
    'LOCALHOST',
    'localhost.',
    'app.localhost',
    '127.0.0.1',
    '127.0.0.2',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::]',
  ])('%s follows the route', async (host) => {
    const { origin, bait, route } = await startWorkspace()
    const proxy = await startProxy()
    const client = await RawClient.connect(proxy.port())
    const authority = `${host}:${origin.port}`
    client.send(`GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n`)
    const answer = await client.send(`${authorization(proxy.createContext(1, route))}\r\n`).head()
    expect(answer.status).toBe(200)
    expect(origin.seen).toHaveLength(1)
    expect(bait.connections).toBe(0)
  })

  test('a route that fails is an error, never a way to the real localhost', async () => {
    const { origin, bait, route } = await startWorkspace()
    await origin.close()
    const proxy = await startProxy()
    const dispatcher = undiciAgent(proxy, proxy.createContext(1, route))
    const answer = await request(`http://localhost:${origin.port}/`, { dispatcher })
    expect(answer.statusCode).toBe(502)
    expect(answer.headers['proxy-status']).toBe('tabport; error=connection_refused')
    expect(bait.connections).toBe(0)
  })

  test('without a route, localhost is localhost', async () => {
    const origin = await startOrigin()
    const proxy = await startProxy()
    const dispatcher = undiciAgent(proxy, proxy.createContext(1))
    const { body } = await request(`http://localhost:${origin.port}/a?b=c`, { dispatcher })
    expect(await body.json()).toEqual({ method: 'GET', url: '/a?b=c', host: `localhost:${origin.port}` })
  })

  test('curl finds its way too', async () => {
    const { origin, route } = await startWorkspace(text('from the workspace'))
    const proxy = await startProxy()
    const { username, password } = proxy.createContext(1, route)
    const through = ['--noproxy', '', '--proxy', `http://${username}:${password}@127.0.0.1:${proxy.port()}`]
    expect(await curl(...through, `http://localhost:${origin.port}/`)).toBe('from the workspace')
    expect(await curl(...through, '--proxytunnel', `http://localhost:${origin.port}/`)).toBe('from the workspace')
    expect(origin.seen).toHaveLength(2)
  })
})

describe('a gateway', () => {
  test('is told once what it must know, whatever the client says', async () => {
    const gateway = await startOrigin()
    const proxy = await startProxy()
    const route = { cmuxProxyOrigin: `http://127.0.0.1:${gateway.port}`, workspace: 'workspace-1' }
    const client = await RawClient.connect(proxy.port())
    client.send('GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n')
    client.send('X-Cmux-Port-Internal: 22\r\nx-cmux-host-override: evil\r\nX-CMUX-WORKSPACE-INTERNAL: other\r\n')
    const answer = await client.send(`X-Cmux-Anything: 1\r\n${authorization(proxy.createContext(1, route))}\r\n`).head()
    expect(answer.status).toBe(200)
    expect(routingFields(gateway.seen[0]?.rawHeaders ?? [])).toEqual([
      ['x-cmux-host-override', 'localhost:3000'],
      ['x-cmux-port-internal', '3000'],
      ['x-cmux-workspace-internal', 'workspace-1'],
    ])
    expect(gateway.seen[0]?.headers.host).toBe(`127.0.0.1:${gateway.port}`)
  })

  test('without a workspace in the route, none is named', async () => {
    const gateway = await startOrigin()
    const proxy = await startProxy()
    const context = proxy.createContext(1, { cmuxProxyOrigin: `http://127.0.0.1:${gateway.port}` })
    const headers = { 'x-cmux-workspace-internal': 'other' }
    await request('http://[::1]:8080/', { dispatcher: undiciAgent(proxy, context), headers })
    expect(routingFields(gateway.seen[0]?.rawHeaders ?? [])).toEqual([
      ['x-cmux-host-override', '[::1]:8080'],
      ['x-cmux-port-internal', '8080'],
    ])
  })

  test.each(['with a route', 'without one'])('no other upstream hears routing fields: %s', async (kind) => {
    const { origin, route } = await startWorkspace()
    const proxy = await startProxy()
    const routed = kind === 'with a route'
    const context = proxy.createContext(1, routed ? route : undefined)
    const url = `http://${routed ? 'localhost' : '127.18.0.1'}:${origin.port}/`
    const headers = { 'X-Cmux-Port-Internal': '22', 'x-cmux-workspace-internal': 'other' }
    await request(url, { dispatcher: undiciAgent(proxy, context), headers })
    expect(origin.seen).toHaveLength(1)
    expect(routingFields(origin.seen[0]?.rawHeaders ?? [])).toEqual([])
  })
})

describe('what arrives', () => {
  test('the request target, byte for byte', async () => {
    const { origin, route } = await startWorkspace()
    const proxy = await startProxy()
    const target = '/a/../b/./%2e%2e//c%2Fd%zz;x=1?y=%20&z=/../'
    const client = await RawClient.connect(proxy.port())
    client.send(`GET http://localhost:${origin.port}${target} HTTP/1.1\r\nHost: localhost:${origin.port}\r\n`)
    await client.send(`${authorization(proxy.createContext(1, route))}\r\n`).head()
    expect(origin.seen[0]?.url).toBe(target)
  })

  test('no field that ends at the proxy, in neither direction', async () => {
    const answer: Answer = (_request, response) => {
      response.writeHead(200, {
        Connection: 'X-Hop, keep-alive',
        'X-Hop': '1',
        'X-Kept': '2',
        'Keep-Alive': 'timeout=9',
      })
      response.end()
    }
    const { origin, route } = await startWorkspace(answer)
    const proxy = await startProxy()
    const client = await RawClient.connect(proxy.port())
    client.send(`GET http://localhost:${origin.port}/ HTTP/1.1\r\nHost: localhost:${origin.port}\r\n`)
    client.send(
      'Connection: X-Hop, keep-alive\r\nProxy-Connection: keep-alive\r\nX-Hop: 1\r\nX-Kept: 2\r\nTE: gzip, trailers\r\n',
    )
    const head = await client.send(`${authorization(proxy.createContext(1, route))}\r\n`).head()

    const seen = origin.seen[0]?.headers
    // Trailers are relayed, so the proxy takes them itself; a coding would be another matter.
    expect(seen).toMatchObject({ 'x-kept': '2', te: 'trailers', connection: 'te' })
    for (const name of ['x-hop', 'proxy-connection', 'proxy-authorization', 'via']) {
      expect(seen).not.toHaveProperty(name)
    }
    expect(head.all('X-Kept')).toEqual(['2'])
    expect([...head.all('X-Hop'), ...head.all('Keep-Alive')]).toEqual([])
  })

  test('every Set-Cookie, in order', async () => {
    const { origin, route } = await startWorkspace((_request, response) => {
      response.setHeader('Set-Cookie', ['a=1; Path=/', 'b=2'])
      response.end()
    })
    const proxy = await startProxy()
    const client = await RawClient.connect(proxy.port())
    client.send(`GET http://localhost:${origin.port}/ HTTP/1.1\r\nHost: localhost:${origin.port}\r\n`)
    const head = await client.send(`${authorization(proxy.createContext(1, route))}\r\n`).head()
    expect(head.all('Set-Cookie')).toEqual(['a=1; Path=/', 'b=2'])
  })

  test.each([true, false])('10 MiB in each direction (through a tunnel: %s)', async (proxyTunnel) => {
    const { origin, route } = await startWorkspace((incoming, response) => {
      incoming.pipe(response)
    })
    const proxy = await startProxy()
    const dispatcher = undiciAgent(proxy, proxy.createContext(1, route), proxyTunnel)
    const sent = randomBytes(10 * MEBIBYTE)
    const { body } = await request(`http://localhost:${origin.port}/`, { method: 'POST', body: sent, dispatcher })
    const received = Buffer.from(await body.arrayBuffer())
    expect(received.length).toBe(sent.length)
    expect(digest(received)).toBe(digest(sent))
  })

  test('an event of a stream, as soon as it is sent', async () => {
    let finish = () => {}
    const { origin, route } = await startWorkspace((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.write('data: first\n\n')
      finish = () => response.end('data: last\n\n')
    })
    const proxy = await startProxy()
    const dispatcher = undiciAgent(proxy, proxy.createContext(1, route))
    const { body } = await request(`http://localhost:${origin.port}/`, { dispatcher })
    const chunks: string[] = []
    body.on('data', (chunk) => chunks.push(String(chunk)))
    await until('the first event, while the stream is open', () => chunks.join('') === 'data: first\n\n', 2_000)
    finish()
    await until('the last event', () => chunks.join('') === 'data: first\n\ndata: last\n\n', 2_000)
  })
})

describe('an upstream that dies in the middle of a body', () => {
  test.each(['Content-Length: 1000\r\n', 'Transfer-Encoding: chunked\r\n'])(
    '%j: is seen as cut off',
    async (framing) => {
      const part = framing.startsWith('T') ? '4\r\npart\r\n' : 'part'
      const origin = await startRawOrigin((socket) => {
        socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n${part}`))
      })
      const proxy = await startProxy()
      const dispatcher = undiciAgent(proxy, proxy.createContext(1))
      const { body } = await request(`http://127.0.0.1:${origin.port}/`, { dispatcher })
      const chunks: string[] = []
      body.on('data', (chunk) => {
        chunks.push(String(chunk))
        origin.kill()
      })
      await expect(new Promise((resolve, reject) => body.once('end', resolve).once('error', reject))).rejects.toThrow()
      expect(chunks.join('')).toBe('part')
    },
  )

  test('the client of a raw connection sees no end of the body', async () => {
    const origin = await startRawOrigin((socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n'))
    })
    const proxy = await startProxy()
    const client = await RawClient.connect(proxy.port())
    client.send(`GET http://127.0.0.1:${origin.port}/ HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\n`)
    client.send(`${authorization(proxy.createContext(1))}\r\n`)
    await client.head()
    await until('the part', () => client.received.includes('part'))
    origin.kill()
    const rest = await client.rest()
    expect(rest).toContain('part')
    expect(rest).not.toContain('0\r\n\r\n')
  })
})

describe('a malformed request', () => {
  const malformed: [what: string, request: (target: string, host: string) => string][] = [
    ['two lengths', (t, h) => `POST ${t} HTTP/1.1\r\nHost: ${h}\r\nContent-Length: 1\r\nContent-Length: 2\r\n`],
    ['a length that is none', (t, h) => `POST ${t} HTTP/1.1\r\nHost: ${h}\r\nContent-Length: +1\r\n`],
    ['an unknown last transfer coding', (t, h) => `POST ${t} HTTP/1.1\r\nHost: ${h}\r\nTransfer-Encoding: gzip\r\n`],
    ['a space before the colon', (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}\r\nX-A : b\r\n`],
    ['a field name with a space', (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}\r\nX A: b\r\n`],
    ['a NUL in a value', (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}\r\nX-A: b\0c\r\n`],
    ['a bare CR in a value', (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}\r\nX-A: b\rc\r\n`],
    ['a line without a colon', (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}\r\nX-A\r\n`],
    ['two Host fields', (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}\r\nHost: other\r\n`],
    ['a target without a host', (_t, h) => `GET http:///x HTTP/1.1\r\nHost: ${h}\r\n`],
    ['a port that is none', (_t, h) => `GET http://localhost:99999/ HTTP/1.1\r\nHost: ${h}\r\n`],
    ['a scheme that is none of ours', (t, h) => `GET ${t.replace('http:', 'ftp:')} HTTP/1.1\r\nHost: ${h}\r\n`],
    ['a CONNECT in absolute form', (t, h) => `CONNECT ${t} HTTP/1.1\r\nHost: ${h}\r\n`],
    ['a CONNECT without a port', (_t, h) => `CONNECT localhost HTTP/1.1\r\nHost: ${h}\r\n`],
    ['a method that is none', (t, h) => `G@T ${t} HTTP/1.1\r\nHost: ${h}\r\n`],
    ['a version that is none', (t, h) => `GET ${t} HTTP/1.x\r\nHost: ${h}\r\n`],
    ['a Connection field that would remove Host', (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}\r\nConnection: Host\r\n`],
  ]
  test.each(malformed)('%s: is a 400, and the origin sees nothing', async (_what, compose) => {
    const { origin, bait, route } = await startWorkspace()
    const proxy = await startProxy()
    const host = `localhost:${origin.port}`
    const client = await RawClient.connect(proxy.port())
    const fields = authorization(proxy.createContext(1, route))
    const answer = await client.send(`${compose(`http://${host}/`, host)}${fields}\r\n`).response()
    expect(answer.status).toBe(400)
    await client.rest()
    expect([origin.connections, bait.connections]).toEqual([0, 0])
  })

  test('a chunk that is none ends the request as a failure', async () => {
    const { origin, route } = await startWorkspace((incoming, response) => {
      incoming.on('error', () => {}).on('end', () => response.end('whole'))
      incoming.resume()
    })
    const proxy = await startProxy()
    const client = await RawClient.connect(proxy.port())
    client.send(`POST http://localhost:${origin.port}/ HTTP/1.1\r\nHost: localhost:${origin.port}\r\n`)
    client.send(`${authorization(proxy.createContext(1, route))}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n`)
    expect(await client.rest()).not.toContain('whole')
  })
})

test('one connection serves one request after another', async () => {
  const { origin, route } = await startWorkspace()
  const proxy = await startProxy()
  const headers = { 'Proxy-Authorization': basic(proxy.createContext(1, route)) }
  const client = await RawClient.connect(proxy.port())
  for (const path of ['/1', '/2', '/3']) {
    client.send(`GET http://localhost:${origin.port}${path} HTTP/1.1\r\nHost: localhost:${origin.port}\r\n`)
    const field = `Proxy-Authorization: ${headers['Proxy-Authorization']}\r\n\r\n`
    expect((await client.send(field).response()).body).toContain(`"${path}"`)
  }
  expect(proxy.stats().total.connections).toBe(1)
  expect(origin.connections).toBe(1)
})

/** The routing fields among raw headers: names lower-cased, sorted. */
function routingFields(raw: string[]): [string, string][] {
  const pairs = raw.flatMap((name, index): [string, string][] =>
    index % 2 === 0 ? [[name.toLowerCase(), raw[index + 1] ?? '']] : [],
  )
  return pairs.filter(([name]) => name.startsWith('x-cmux-')).sort(([a], [b]) => a.localeCompare(b))
}

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
