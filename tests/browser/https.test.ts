// https:// on a tab's localhost, in a real Chromium that trusts the proxy's authority and nobody else's.
import type { Page } from 'playwright-core'
import type { ListenOptions } from 'tabport'
import { describe, expect, test } from 'vitest'
import { type Answer, startTlsOrigin, startWorkspace } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { previewTo, startProxy } from '../support/proxy.ts'
import { openTab } from './chromium.ts'
import { cannotTrust, useTrustingBrowser } from './trust.ts'
import { startWorkspaces } from './workspace.ts'

describe.skipIf(cannotTrust)('https on localhost (skipped without Chromium and certutil)', () => {
  const chromium = useTrustingBrowser()

  /** A tab with this route, behind a proxy that it trusts. */
  async function open(upstream: string, options: ListenOptions = {}) {
    const proxy = await startProxy(options)
    await chromium.trust(proxy.certificateAuthority().pem)
    return openTab(chromium.browser, proxy, proxy.createContext(1, { upstream }))
  }

  test('a dev server that speaks plain HTTP is a secure context, with all that its page loads', async () => {
    const { origin, bait, route } = await startWorkspace(site)
    const tab = await open(route.upstream)
    const response = await tab.goto(`https://localhost:${origin.port}/`)
    expect(response?.status()).toBe(200)
    expect(await seen(tab)).toEqual({ protocol: 'https:', secure: true, style: 'rgb(1, 2, 3)', api: 'POST /api body' })
    expect(await protocols(tab)).toEqual(['h2', 'h2', 'h2', 'h2'])
    const asked = origin.seen.map(({ version, url }) => `${version} ${url}`)
    expect(asked.sort()).toEqual(['1.1 /', '1.1 /api', '1.1 /script.js', '1.1 /style.css'])
    expect(bait.connections).toBe(0)
  })

  test('is HTTP/1.1 inside where the proxy speaks no HTTP/2', async () => {
    const { origin, route } = await startWorkspace(site)
    const tab = await open(route.upstream, { http2: false })
    await tab.goto(`https://localhost:${origin.port}/`)
    expect(await seen(tab)).toMatchObject({ secure: true, api: 'POST /api body' })
    expect(await protocols(tab)).toEqual(Array(4).fill('http/1.1'))
  })

  test.each([
    ['2.0', ['h2', 'http/1.1']],
    ['1.1', ['http/1.1']],
  ] as const)('an upstream that speaks HTTP/%s over TLS', async (version, alpn) => {
    const origin = await startTlsOrigin(site, [...alpn])
    const tab = await open('https://{port}-ws.preview.test', previewTo(origin.port, '3000-ws'))
    await tab.goto('https://localhost:3000/')
    expect(await seen(tab)).toMatchObject({ protocol: 'https:', api: 'POST /api body' })
    expect(await protocols(tab)).toEqual(Array(4).fill('h2'))
    expect(origin.seen).toHaveLength(4)
    for (const request of origin.seen) expect(request).toMatchObject({ version, servername: '3000-ws.preview.test' })
  })

  test('the default port is 443', async () => {
    const origin = await startTlsOrigin(site)
    const tab = await open('https://{port}-ws.preview.test', previewTo(origin.port, '443-ws'))
    await tab.goto('https://localhost/')
    expect(await seen(tab)).toMatchObject({ api: 'POST /api body' })
    expect(tab.url()).toBe('https://localhost/')
  })

  test.each(['127.0.0.1', '127.18.0.5', '[::1]', 'app.localhost', 'localhost.'])('the host %s', async (host) => {
    const { origin, bait, route } = await startWorkspace(site)
    const tab = await open(route.upstream)
    await tab.goto(`https://${host}:${origin.port}/`)
    expect(await seen(tab)).toMatchObject({ protocol: 'https:', secure: true, api: 'POST /api body' })
    expect(new URL(tab.url()).host).toBe(`${host}:${origin.port}`)
    expect(bait.connections).toBe(0)
  })

  test('two tabs at one URL show their own workspaces, by page, fetch, WebSocket and event stream', async () => {
    const { url, bait } = await startWorkspaces()
    const proxy = await startProxy()
    await chromium.trust(proxy.certificateAuthority().pem)
    const tabs = await Promise.all(
      [1, 2].map((id) =>
        openTab(chromium.browser, proxy, proxy.createContext(id, { upstream: `http://127.18.0.${id}:{port}` })),
      ),
    )
    await Promise.all(tabs.map((tab) => tab.goto(url.replace('http:', 'https:'))))
    for (const [tab, name] of [
      [tabs[0]!, 'one'],
      [tabs[1]!, 'two'],
    ] as const) {
      const expected = { api: name, messages: [`${name}: hello`], events: [`hello from ${name}`], closed: false }
      await until(`everything of ${name}`, async () => {
        const { api, messages, events } = await live(tab)
        return api && messages.length > 0 && events.length > 0
      })
      expect(await live(tab)).toEqual(expected)
      expect(await tab.textContent('h1')).toBe(`${name} v1`)
    }
    expect(bait.connections).toBe(0)
  })
})

/** A page with a style sheet and a script; everything else is told what it asked for. */
const site: Answer = (request, response) => {
  const send = (type: string, body: string) => response.writeHead(200, { 'Content-Type': type }).end(body)
  if (request.url === '/') return send('text/html', PAGE)
  if (request.url === '/style.css') return send('text/css', 'h1 { color: rgb(1, 2, 3) }')
  if (request.url === '/script.js') return send('text/javascript', SCRIPT)
  response.write(`${request.method} ${request.url} `)
  request.pipe(response)
}

const PAGE = `<!doctype html><link rel=icon href=data:,><link rel=stylesheet href=/style.css><h1>page</h1>
<script src=/script.js></script>`
const SCRIPT = `window.api = fetch('/api', { method: 'POST', body: 'body' }).then((answer) => answer.text())`

const seen = (tab: Page) =>
  tab.evaluate(async () => ({
    protocol: location.protocol,
    secure: isSecureContext,
    style: getComputedStyle(document.querySelector('h1') as Element).color,
    api: await (globalThis as unknown as { api: Promise<string> }).api,
  }))

/** What the page itself and everything it loaded was spoken in. */
const protocols = (tab: Page) =>
  tab.evaluate(() => {
    const entries = ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type))
    return (entries as PerformanceResourceTiming[])
      .filter(({ name }) => name.startsWith('http'))
      .map(({ nextHopProtocol }) => nextHopProtocol)
  })

/** What the page of the tests' dev server has seen. */
const live = (tab: Page): Promise<{ messages: string[]; events: string[]; api?: string; closed: boolean }> =>
  tab.evaluate(() => (globalThis as unknown as { seen: never }).seen)
