// WebSockets on a tab's localhost, in a real Chromium: wss:// inside an intercepted tunnel, as a stream of the HTTP/2
// connection that the page came over (RFC 8441) or by an HTTP/1.1 upgrade, and ws:// beside it.
import type { Page } from 'playwright-core'
import type { ListenOptions, ProxyEvent } from 'tabport'
import { describe, expect, test } from 'vitest'
import { serveWebSockets } from '../features/websockets.ts'
import { type Answer, type Origin, startTlsOrigin, startWorkspace } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { previewTo, startObserved } from '../support/proxy.ts'
import { openTab } from './chromium.ts'
import { cannotTrust, useTrustingBrowser } from './trust.ts'

const page: Answer = (_request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><link rel=icon href=data:,>')
}

/** With the method of the request that opens it: only RFC 8441's is a CONNECT with a path. */
const WAYS: [name: string, scheme: 'ws' | 'wss', options: ListenOptions, ask: string][] = [
  ['wss over HTTP/2', 'wss', {}, 'CONNECT'],
  ['wss over HTTP/1.1', 'wss', { http2: false }, 'GET'],
  ['ws', 'ws', {}, 'GET'],
]

const chromium = useTrustingBrowser()

describe.skipIf(cannotTrust).each(WAYS)('%s (skipped without Chromium and certutil)', (_name, scheme, options, ask) => {
  async function open(origin: Origin, upstream: string, port: number, more: ListenOptions = {}) {
    const { proxy, events } = await startObserved({ ...options, ...more })
    await chromium.trust(proxy.certificateAuthority().pem)
    const context = proxy.createContext(1, { upstream })
    const tab = await openTab(chromium.browser, proxy, context)
    await tab.goto(`${scheme.replace('ws', 'http')}://localhost:${port}/`)
    const sockets = serveWebSockets(origin)
    return { tab, events, sockets, proxy, context, url: `${scheme}://localhost:${port}/echo` }
  }

  async function openRouted() {
    const { origin, bait, route } = await startWorkspace(page)
    return { ...(await open(origin, route.upstream, origin.port)), origin, bait }
  }

  test('text and binary messages come back, in the protocol agreed on', async () => {
    const { tab, url, events, bait, origin } = await openRouted()
    expect(await converse(tab, url)).toEqual(ECHOED)
    expect(await asked(events)).toEqual([`${ask} ${ask === 'CONNECT' ? 200 : 101}`])
    expect(origin.seen.at(-1)).toMatchObject({ method: 'GET', version: '1.1', url: '/echo' })
    expect(origin.seen.at(-1)?.headers).toMatchObject({ upgrade: 'websocket', 'sec-websocket-version': '13' })
    expect(bait.connections).toBe(0)
  })

  test.each([['h2', 'http/1.1'], ['http/1.1']] as const)('an upstream that offers %s first', async (...alpn) => {
    const origin = await startTlsOrigin(page, [...alpn])
    const { tab, url } = await open(origin, 'https://{port}-ws.preview.test', 3000, previewTo(origin.port, '3000-ws'))
    expect(await converse(tab, url)).toEqual(ECHOED)
    expect(origin.seen.at(-1)).toMatchObject({ version: '1.1', servername: '3000-ws.preview.test' })
  })

  test('a close arrives with its code and reason, from either side', async () => {
    const { tab, url, sockets } = await openRouted()
    const atServer: unknown[] = []
    sockets.on('connection', (socket) => {
      socket.on('close', (code, reason) => atServer.push([code, String(reason)]))
      socket.on('message', (data) => String(data) === 'leave' && socket.close(4002, 'the server leaves'))
    })
    expect(await closed(tab, url, 'leave')).toEqual([4002, 'the server leaves', true])
    await until('the end', () => atServer.length === 1)
    expect(await closed(tab, url)).toEqual([4001, 'the page leaves', true])
    await until('the other end', () => atServer.length === 2)
    expect(atServer).toEqual([
      [4002, 'the server leaves'],
      [4001, 'the page leaves'],
    ])
  })

  test('an upstream that breaks off is no clean close', async () => {
    const { tab, url, sockets, origin } = await openRouted()
    sockets.on('connection', (socket) => socket.on('message', () => origin.kill()))
    expect(await closed(tab, url, 'now')).toEqual([1006, '', false])
  })

  test('a refusal opens nothing', async () => {
    const { tab, url, origin, sockets, events } = await openRouted()
    origin.server.removeAllListeners('upgrade')
    origin.server.on('upgrade', (_request, stream) => stream.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'))
    expect(await closed(tab, url)).toEqual([1006, '', false])
    expect(await asked(events)).toEqual([`${ask} 403`])
    expect(sockets.clients.size).toBe(0)
  })

  test('ends within a second when the context is released', async () => {
    const { tab, url, sockets, proxy, context } = await openRouted()
    const ending = closed(tab, url, 'stay')
    await until('the WebSocket', () => sockets.clients.size === 1)
    proxy.releaseContext(context.id)
    await until('its end', () => sockets.clients.size === 0, 1_000)
    expect((await ending)[0]).toBe(1006)
  })
})

const BINARY = Array.from({ length: 100_000 }, (_, index) => index % 251)
const ECHOED = { protocol: 'vite-hmr', extensions: 'permessage-deflate', messages: ['text', BINARY] }

/** Sends a text and a long binary message, and gives what comes back. */
const converse = (tab: Page, url: string) =>
  tab.evaluate(
    ({ url, binary }) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url, ['other', 'vite-hmr'])
        socket.binaryType = 'arraybuffer'
        const messages: unknown[] = []
        socket.onopen = () => {
          socket.send('text')
          socket.send(new Uint8Array(binary))
        }
        socket.onclose = ({ code }) => reject(new Error(`closed: ${code}`))
        socket.onmessage = ({ data }) => {
          messages.push(typeof data === 'string' ? data : [...new Uint8Array(data)])
          const { protocol, extensions } = socket
          if (messages.length === 2) resolve({ protocol, extensions, messages })
        }
      }),
    { url, binary: BINARY },
  )

/** Says something when it is open, or else leaves; gives how it ends. */
const closed = (tab: Page, url: string, said?: string) =>
  tab.evaluate(
    ({ url, said }) =>
      new Promise<[code: number, reason: string, clean: boolean]>((resolve) => {
        const socket = new WebSocket(url)
        socket.onopen = () => (said ? socket.send(said) : socket.close(4001, 'the page leaves'))
        socket.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean])
      }),
    { url, said },
  )

/** The requests for a WebSocket, as soon as there is one. */
const asked = (events: ProxyEvent[]) =>
  until('the report', () => {
    const reports = events.flatMap((event) => (event.type === 'request' && event.path === '/echo' ? [event] : []))
    return reports.length > 0 && reports.map(({ method, status }) => `${method} ${status}`)
  })
