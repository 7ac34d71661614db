// WebSockets, in both forms that clients use: the upstream's own answer decides.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type http from 'node:http'
import type { ProxyContextInfo, ProxyServer } from 'tabport'
import { describe, expect, test } from 'vitest'
import type WebSocket from 'ws'
import { WebSocketServer } from 'ws'
import { webSocketByAbsoluteForm, webSocketByConnect } from './support/clients.ts'
import { startTlsOrigin, startWorkspace } from './support/origin.ts'
import { within } from './support/poll.ts'
import { previewTo, startProxy } from './support/proxy.ts'

interface Options {
  path?: string
  protocols?: string[]
}
type Open = (proxy: ProxyServer, context: ProxyContextInfo, authority: string, options?: Options) => Promise<WebSocket>

const forms: [form: string, open: Open][] = [
  ['through CONNECT, as Chromium does', webSocketByConnect],
  ['by an upgrade in absolute form', async (...args) => webSocketByAbsoluteForm(...args)],
]

describe.each(forms)('%s', (_form, open) => {
  test('messages pass both ways, the server may speak first', async () => {
    const { origin, bait, proxy, context, authority } = await fixture()
    const socket = await open(proxy, context, authority, { path: '/live?token=secret' })
    expect(await message(socket)).toBe('welcome')
    socket.send('ping')
    expect(await message(socket)).toBe('ping')
    expect(origin.seen).toMatchObject([{ method: 'GET', url: '/live?token=secret' }])
    expect(origin.seen[0]?.headers).not.toHaveProperty('proxy-authorization')
    expect(origin.seen[0]?.headers.host).toBe(`127.18.0.1:${origin.port}`)
    expect(bait.connections).toBe(0)
  })

  test('a large message arrives whole', async () => {
    const { proxy, context, authority } = await fixture()
    const socket = await open(proxy, context, authority)
    await message(socket)
    const sent = randomBytes(1024 * 1024).toString('hex')
    socket.send(sent)
    expect((await message(socket)) === sent).toBe(true)
  })

  test('the subprotocol is the one the server chose', async () => {
    const { proxy, context, authority } = await fixture()
    const socket = await open(proxy, context, authority, { protocols: ['other', 'vite-hmr'] })
    await message(socket)
    expect(socket.protocol).toBe('vite-hmr')
  })

  test('a close has its code on the other side', async () => {
    const { server, proxy, context, authority } = await fixture()
    const accepted = once(server, 'connection')
    const socket = await open(proxy, context, authority)
    const [peer] = (await accepted) as [WebSocket]
    const closed = once(peer, 'close')
    await message(socket)
    socket.close(4001, 'done')
    const [code, reason] = await within('the close', closed)
    expect([code, String(reason)]).toEqual([4001, 'done'])
  })

  test('a refusal is the real one', async () => {
    const { proxy, context, authority } = await fixture()
    const socket = await open(proxy, context, authority, { path: '/refused' })
    const [, response] = (await within('the refusal', once(socket, 'unexpected-response'))) as [
      http.ClientRequest,
      http.IncomingMessage,
    ]
    const body = (await response.setEncoding('utf8').toArray()).join('')
    expect([response.statusCode, response.headers['x-why'], body]).toEqual([401, 'no cookie', 'log in first'])
  })

  test('an upstream that is gone is a 502', async () => {
    const { origin, bait, proxy, context, authority } = await fixture()
    await origin.close()
    const socket = await open(proxy, context, authority)
    const [, response] = (await within('the refusal', once(socket, 'unexpected-response'))) as [
      http.ClientRequest,
      http.IncomingMessage,
    ]
    expect(response.resume().statusCode).toBe(502)
    expect(bait.connections).toBe(0)
  })

  test('an upstream that offers HTTP/2 is asked in HTTP/1.1', async () => {
    const origin = await startTlsOrigin(undefined, ['h2', 'http/1.1'])
    const server = new WebSocketServer({ noServer: true })
    origin.server.on('upgrade', (request, stream, early) => {
      server.handleUpgrade(request, stream, early, (socket) => socket.send(`over ${request.socket.alpnProtocol}`))
    })
    const proxy = await startProxy(previewTo(origin.port, '3000-ws'))
    const context = proxy.createContext(1, { upstream: 'https://{port}-ws.preview.test' })
    const socket = await open(proxy, context, 'localhost:3000')
    expect(await message(socket)).toBe('over http/1.1')
  })
})

/** A workspace whose server greets, echoes, chooses `vite-hmr` and refuses `/refused`. */
async function fixture() {
  const { origin, bait, route } = await startWorkspace()
  const handleProtocols = (offered: Set<string>) => (offered.has('vite-hmr') ? 'vite-hmr' : false)
  const server = new WebSocketServer({ noServer: true, handleProtocols, maxPayload: 8 * 1024 * 1024 })
  server.on('connection', (socket) => {
    socket.send('welcome')
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  origin.server.on('upgrade', (request: http.IncomingMessage, stream, early) => {
    if (request.url === '/refused') {
      stream.end('HTTP/1.1 401 Unauthorized\r\nX-Why: no cookie\r\nContent-Length: 12\r\n\r\nlog in first')
    } else {
      server.handleUpgrade(request, stream, early, (socket) => server.emit('connection', socket, request))
    }
  })
  const proxy = await startProxy()
  return { origin, bait, server, proxy, context: proxy.createContext(1, route), authority: `localhost:${origin.port}` }
}

async function message(socket: WebSocket): Promise<string> {
  const [data] = await within('a message', once(socket, 'message'))
  return String(data)
}
