// A proxy that is spoken to in TLS, as a real Chromium does it: whatever a page asks for goes over one HTTP/2 connection,
// each stream with the credentials of its tab. Connections are counted in front of the proxy, by a relay. Chromium keeps
// what different sites do on connections of their own, and http://localhost and https://localhost are two.
import type { Page } from 'playwright-core'
import type { ProxyContextInfo, ProxyServer } from 'tabport'
import { describe, expect, test } from 'vitest'
import { serveWebSockets } from '../features/websockets.ts'
import { ca } from '../support/certificates.ts'
import { type Answer, echo, startOrigin, startTlsOrigin, startWorkspace } from '../support/origin.ts'
import { startObserved, startProxy } from '../support/proxy.ts'
import { startRelay } from '../support/relay.ts'
import { openTab } from './chromium.ts'
import { cannotTrust, useTrustingBrowser } from './trust.ts'
import { startWorkspaces } from './workspace.ts'

const chromium = useTrustingBrowser()

describe.skipIf(cannotTrust)('a secure listener (skipped without Chromium and certutil)', () => {
  test('carries http, ws, https and wss of a tab with a route over one connection', async () => {
    const { origin, bait, route } = await startWorkspace(page)
    serveWebSockets(origin)
    const { proxy, relay } = await startSecure()
    const tab = await openThrough(relay, proxy, proxy.createContext(1, route))
    const origins = [`http://localhost:${origin.port}`, `https://localhost:${origin.port}`]
    await tab.goto(origins[0]!)
    expect(await spoken(tab, origins)).toEqual(Array(2).fill(['/api', 'hello']))
    expect(relay.connections).toBe(1)
    expect(bait.connections).toBe(0)
  })

  test('and of one without, whose tunnels are opaque', async () => {
    const [plain, secure] = [await startOrigin(page), await startTlsOrigin(page, ['h2', 'http/1.1'])]
    for (const origin of [plain, secure]) serveWebSockets(origin)
    const { proxy, events, relay } = await startSecure()
    // The browser sees this origin's own certificate.
    await chromium.trust(ca)
    const tab = await openThrough(relay, proxy, proxy.createContext(1))
    const origins = [`http://localhost:${plain.port}`, `https://localhost:${secure.port}`]
    await tab.goto(origins[0]!)
    expect(await spoken(tab, origins)).toEqual(Array(2).fill(['/api', 'hello']))
    expect(relay.connections).toBe(1)
    expect(proxy.stats().total.connections).toBe(1)
    const tunnels = events.flatMap((event) => (event.type === 'tunnel' ? [event.authority] : []))
    expect(new Set(tunnels)).toEqual(new Set([`localhost:${plain.port}`, `localhost:${secure.port}`]))
  })

  test('speaks HTTP/1.1 where it is told to', async () => {
    const { origin, route } = await startWorkspace(page)
    serveWebSockets(origin)
    const { proxy, relay } = await startSecure({ http2: false })
    const tab = await openThrough(relay, proxy, proxy.createContext(1, route))
    const origins = [`http://localhost:${origin.port}`, `https://localhost:${origin.port}`]
    await tab.goto(origins[0]!)
    expect(await spoken(tab, origins)).toEqual(Array(2).fill(['/api', 'hello']))
    // Two WebSockets and a tunnel at the least, beside the page's own.
    expect(relay.connections).toBeGreaterThan(3)
  })

  test('asks each tab for its own credentials, and leads each to its own workspace', async () => {
    const { url, bait } = await startWorkspaces()
    const { proxy, relay, events } = await startSecure()
    const contexts = [1, 2].map((id) => proxy.createContext(id, { upstream: `http://127.18.0.${id}:{port}` }))
    const tabs = await Promise.all(contexts.map((it) => openThrough(relay, proxy, it)))
    for (const at of [url, url.replace('http:', 'https:')]) {
      await Promise.all(tabs.map((tab) => tab.goto(at)))
      expect(await Promise.all(tabs.map((tab) => tab.textContent('h1')))).toEqual(['one v1', 'two v1'])
    }
    const refused = events.filter((event) => event.type === 'error')
    expect(refused).toEqual(Array(2).fill(expect.objectContaining({ message: 'proxy authentication required' })))
    // Tabs share no connections, and neither do the two sites that each has shown.
    expect(relay.connections).toBe(4)
    expect(bait.connections).toBe(0)
  })

  test.each(['http', 'https'])('lets nobody in with wrong credentials: %s', async (scheme) => {
    const { origin, bait, route } = await startWorkspace()
    const proxy = await startProxy({ secure: true })
    await chromium.trust(proxy.certificateAuthority().pem)
    const context = proxy.createContext(1, route)
    const tab = await openTab(chromium.browser, proxy, { ...context, password: 'wrong' })
    const status = tab.goto(`${scheme}://localhost:${origin.port}/`).then(
      (answer) => answer?.status(),
      (error: Error) => /net::ERR_\w+/.exec(error.message)?.[0],
    )
    expect(await status).toBe(scheme === 'http' ? 407 : 'net::ERR_HTTP_RESPONSE_CODE_FAILURE')
    expect([origin.connections, bait.connections]).toEqual([0, 0])
  })

  test('is not used when its certificate is not trusted', async () => {
    const { origin, bait, route } = await startWorkspace(echo)
    const proxy = await startProxy({ secure: true })
    const tab = await openTab(chromium.browser, proxy, proxy.createContext(1, route))
    await expect(tab.goto(`http://localhost:${origin.port}/`)).rejects.toThrow('ERR_PROXY_CERTIFICATE_INVALID')
    expect(proxy.stats().total.requests).toBe(0)
    expect([origin.connections, bait.connections]).toEqual([0, 0])
  })
})

const page: Answer = (request, response) => {
  response.setHeader('Access-Control-Allow-Origin', '*')
  if (request.url !== '/') return response.end(request.url)
  response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><link rel=icon href=data:,>')
}

/** A proxy that the browser trusts, and a relay in front of it. */
async function startSecure(options = {}) {
  const { proxy, events } = await startObserved({ secure: true, ...options })
  await chromium.trust(proxy.certificateAuthority().pem)
  return { proxy, events, relay: await startRelay({ port: proxy.port() }) }
}

const openThrough = (relay: { port: number }, proxy: ProxyServer, context: ProxyContextInfo) =>
  openTab(chromium.browser, { port: () => relay.port, listenerCertificate: () => proxy.listenerCertificate() }, context)

/** A fetch and a WebSocket to each of these origins, at once. */
const spoken = (tab: Page, origins: string[]) =>
  tab.evaluate((origins) => {
    const echoed = (url: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = new WebSocket(url)
        socket.onopen = () => socket.send('hello')
        socket.onmessage = ({ data }) => resolve(data)
        socket.onclose = ({ code }) => reject(new Error(`closed: ${code}`))
      })
    const fetched = (url: string) => fetch(url).then((answer) => answer.text())
    return Promise.all(
      origins.map((origin) => Promise.all([fetched(`${origin}/api`), echoed(`${origin.replace('http', 'ws')}/echo`)])),
    )
  }, origins)
