// What stays open on a tab's localhost, in a real Chromium: event streams, of which HTTP/1.1 allows six to an origin and
// HTTP/2 as many as there are, and the service worker, which exists in secure contexts only.
import type { ServerResponse } from 'node:http'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { type Answer, startWorkspace } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { startProxy } from '../support/proxy.ts'
import { openTab } from './chromium.ts'
import { cannotTrust, useTrustingBrowser } from './trust.ts'

const STREAMS = 20
/** Chromium's own limit of HTTP/1.1 connections to one origin. */
const AT_ONCE = 6

const chromium = useTrustingBrowser()

describe.skipIf(cannotTrust)('what stays open (skipped without Chromium and certutil)', () => {
  test.each([
    ['http', true],
    ['https', true],
    ['https', false],
  ] as const)('many event streams of %s leave a fetch unblocked (secure listener: %s)', async (scheme, secure) => {
    const { tab, streams, tell, bait } = await open(scheme, secure)
    await subscribe(tab, STREAMS)
    await until('all streams', () => streams.size === STREAMS)
    expect(
      await within(
        'the fetch',
        tab.evaluate(() => fetch('/api').then((answer) => answer.text())),
      ),
    ).toBe('/api')
    tell('one')
    await until('the event in all', async () => (await told(tab)) === STREAMS)
    tell('two')
    await until('the next event in all', async () => (await told(tab)) === 2 * STREAMS)
    expect(streams.size).toBe(STREAMS)
    expect(bait.connections).toBe(0)
  })

  test('over HTTP/1.1 they would block it', async () => {
    const { tab, streams, tell, origin } = await open('http', false)
    await subscribe(tab, STREAMS)
    await until('those that Chromium opens', () => streams.size === AT_ONCE)
    const answer = tab.evaluate(() => fetch('/api').then((answer) => answer.text()))
    tell('one')
    await until('the event in those', async () => (await told(tab)) === AT_ONCE)
    const fetched = () => origin.seen.some(({ url }) => url === '/api')
    expect(fetched()).toBe(false)
    await tab.evaluate(() => {
      for (const source of (globalThis as unknown as { sources: EventSource[] }).sources) source.close()
    })
    expect(await answer).toBe('/api')
    expect(fetched()).toBe(true)
  })

  test('an event stream ends at the upstream when the page leaves', async () => {
    const { tab, streams } = await open('https', false)
    await subscribe(tab, 3)
    await until('the streams', () => streams.size === 3)
    await tab.goto('about:blank')
    await until('their end', () => streams.size === 0)
  })

  test.each([false, true])('a service worker answers for the page (secure listener: %s)', async (secure) => {
    const { tab, origin, bait } = await open('https', secure)
    const answer = await tab.evaluate(async () => {
      const controlled = new Promise((resolve) => {
        navigator.serviceWorker.oncontrollerchange = resolve
      })
      await navigator.serviceWorker.register('/worker.js')
      await controlled
      return (await fetch('/worked')).text()
    })
    expect(answer).toBe('the worker has /api')
    const asked = origin.seen.map(({ url }) => url)
    expect(asked).toEqual(expect.arrayContaining(['/worker.js', '/api']))
    expect(asked).not.toContain('/worked')
    await tab.reload()
    expect(await tab.evaluate(() => navigator.serviceWorker.controller?.state)).toBe('activated')
    expect(bait.connections).toBe(0)
  })
})

async function open(scheme: 'http' | 'https', secure: boolean) {
  const streams = new Set<ServerResponse>()
  const { origin, bait, route } = await startWorkspace(site(streams))
  const proxy = await startProxy({ secure })
  await chromium.trust(proxy.certificateAuthority().pem)
  const tab = await openTab(chromium.browser, proxy, proxy.createContext(1, route))
  await tab.goto(`${scheme}://localhost:${origin.port}/`)
  const tell = (event: string) => {
    for (const stream of streams) stream.write(`data: ${event}\n\n`)
  }
  return { tab, origin, bait, streams, tell }
}

const WORKER = `
onactivate = (event) => event.waitUntil(clients.claim())
onfetch = (event) => {
  if (!event.request.url.endsWith('/worked')) return
  const answer = fetch('/api').then((response) => response.text())
  event.respondWith(answer.then((text) => new Response('the worker has ' + text)))
}`

const site =
  (streams: Set<ServerResponse>): Answer =>
  (request, response) => {
    const send = (type: string, body: string) => response.writeHead(200, { 'Content-Type': type }).end(body)
    if (request.url === '/') return send('text/html', '<!doctype html><link rel=icon href=data:,>')
    if (request.url === '/worker.js') return send('text/javascript', WORKER)
    if (request.url !== '/events') return send('text/plain', String(request.url))
    streams.add(response)
    response.once('close', () => streams.delete(response))
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
  }

/** Opens that many streams, and counts what they tell. */
const subscribe = (tab: Page, times: number) =>
  tab.evaluate((times) => {
    const page = globalThis as unknown as { sources: EventSource[]; told: number }
    page.told = 0
    page.sources = Array.from({ length: times }, () => new EventSource('/events'))
    for (const source of page.sources) {
      source.onmessage = () => {
        page.told += 1
      }
    }
  }, times)

const told = (tab: Page) => tab.evaluate(() => (globalThis as unknown as { told: number }).told)
