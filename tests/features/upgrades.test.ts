// The rows about WebSockets: what the origin answers is what the client gets, and from then on nobody looks.
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { webSocketByConnect } from '../support/clients.ts'
import { startTlsOrigin } from '../support/origin.ts'
import { previewTo, startProxy } from '../support/proxy.ts'
import { ACCEPT, FORMS, SWITCHED, tab, WEBSOCKET } from './fixture.ts'
import { CLIENTS, echoed, opened, serveWebSockets } from './websockets.ts'

test('row 7, ws:// inside CONNECT (plain): frames come back, credentials are only in the CONNECT', async () => {
  const { origin, bait, proxy, context, authority } = await tab()
  serveWebSockets(origin)
  const socket = await webSocketByConnect(proxy, context, authority, { path: '/live?x' })
  await opened(socket)
  expect(await echoed(socket, 'text')).toBe('text')
  expect(await echoed(socket, Buffer.of(0, 255))).toEqual(Buffer.of(0, 255))
  expect(origin.seen).toMatchObject([{ method: 'GET', url: '/live?x', headers: { upgrade: 'websocket' } }])
  expect(origin.seen[0]?.headers).not.toHaveProperty('proxy-authorization')
  expect(bait.connections).toBe(0)
})

test.each(CLIENTS)('row 8, real 101 relay: %s, subprotocol and extensions survive', async (_form, open) => {
  const { origin, proxy, context, authority } = await tab()
  serveWebSockets(origin)
  // This client fails the connection unless Sec-WebSocket-Accept is right.
  const socket = await open(proxy, context, authority, { protocols: ['other', 'vite-hmr'] })
  await opened(socket)
  expect([socket.protocol, socket.extensions]).toEqual(['vite-hmr', 'permessage-deflate'])
  expect(await echoed(socket, 'x'.repeat(10_000))).toBe('x'.repeat(10_000))
  expect(origin.seen[0]?.headers).toMatchObject({
    'sec-websocket-protocol': 'other,vite-hmr',
    'sec-websocket-extensions': expect.stringContaining('permessage-deflate'),
  })
})

test.each(FORMS)('row 8, real 101 relay: %s, the fields are those of the origin, and no others', async (_form, ask) => {
  const { origin, ...to } = await tab()
  const own = 'Sec-WebSocket-Extensions: x-odd; a="b, c"\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n'
  origin.server.on('upgrade', (_request, stream: Socket) => stream.write(`${SWITCHED}${own}\r\nthe first bytes`))
  const client = await ask(to, { fields: WEBSOCKET })
  const { status, fields } = await client.head()
  const inOrder = fields.map(([name, value]) => `${name}: ${value}`.toLowerCase()).sort()
  expect([status, inOrder]).toEqual([
    101,
    [
      'connection: upgrade',
      `sec-websocket-accept: ${ACCEPT.toLowerCase()}`,
      'sec-websocket-extensions: x-odd; a="b, c"',
      'set-cookie: a=1',
      'set-cookie: b=2',
      'upgrade: websocket',
    ],
  ])
  expect(await client.bytes(15)).toBe('the first bytes')
})

test.each(FORMS)('row 9, non-101 upgrade answer relayed: %s, and the connection goes on', async (_form, ask) => {
  const { origin, ...to } = await tab()
  origin.server.on('upgrade', (_request, stream: Socket) => {
    stream.end('HTTP/1.1 403 Forbidden\r\nX-Why: no cookie\r\nContent-Length: 12\r\n\r\nlog in first')
  })
  const client = await ask(to, { fields: WEBSOCKET })
  const refused = await client.response()
  expect([refused.status, refused.all('X-Why'), refused.body]).toEqual([403, ['no cookie'], 'log in first'])
  expect([...refused.all('Upgrade'), ...refused.all('Sec-WebSocket-Accept')]).toEqual([])
  expect(await (await ask(to, { path: '/next' }, client)).response()).toMatchObject({ status: 200 })
  expect(origin.seen.map(({ url }) => url)).toEqual(['/', '/next'])
})

test.each(CLIENTS)('row 22, WS upstream forced http/1.1 ALPN: %s', async (_form, open) => {
  const origin = await startTlsOrigin(undefined, ['h2', 'http/1.1'])
  serveWebSockets(origin)
  const proxy = await startProxy(previewTo(origin.port, '3000-ws'))
  const context = proxy.createContext(1, { upstream: 'https://{port}-ws.preview.test' })
  const socket = await open(proxy, context, 'localhost:3000')
  await opened(socket)
  expect(await echoed(socket, 'over TLS')).toBe('over TLS')
  expect(origin.seen).toMatchObject([{ version: '1.1', alpn: 'http/1.1' }])
})
