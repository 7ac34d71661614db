// What users of other proxies complain about, where it takes a real browser to see it.
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { launch, openTab } from '../../browser/chromium.ts'
import { cannotTrust, useTrustingBrowser } from '../../browser/trust.ts'
import { startWorkspaces } from '../../browser/workspace.ts'
import { until } from '../../support/poll.ts'
import { startObserved, startProxy } from '../../support/proxy.ts'
import { chromiumPath } from '../../support/requirements.ts'

const executable = chromiumPath()

/** What the page of the tests' dev server has received over its WebSocket. */
const messages = (tab: Page): Promise<string[]> =>
  tab.evaluate(() => (globalThis as unknown as { seen: { messages: string[] } }).seen.messages)

describe.skipIf(!executable)('in Chromium (skipped without it)', () => {
  test('complaint haproxy/haproxy#3355, vercel-labs/portless PR#127: WebSockets work, reload after reload', async () => {
    const { url, one, bait } = await startWorkspaces()
    const proxy = await startProxy()
    const browser = await launch(executable as string)
    try {
      const tab = await openTab(browser, proxy, proxy.createContext(1, { upstream: 'http://127.18.0.1:{port}' }))
      await tab.goto(url)
      for (let time = 0; time < 10; time += 1) {
        await until('a message', async () => (await messages(tab)).length > 0)
        expect(await messages(tab)).toEqual(['one: hello'])
        await tab.reload()
      }
      await until('those of former pages are closed', () => one.sockets.size === 1 && one.streams.size === 1)
      expect(bait.connections).toBe(0)
    } finally {
      await browser.close()
    }
  })
})

describe.skipIf(cannotTrust)('in Chromium over HTTP/2 (skipped without it and certutil)', () => {
  const chromium = useTrustingBrowser()

  test('complaint vercel-labs/portless#281, PR#363: a WebSocket by extended CONNECT works, reload after reload', async () => {
    const { url, one, bait } = await startWorkspaces()
    const { proxy, events } = await startObserved()
    await chromium.trust(proxy.certificateAuthority().pem)
    const route = { upstream: 'http://127.18.0.1:{port}' }
    const tab = await openTab(chromium.browser, proxy, proxy.createContext(1, route))
    await tab.goto(url.replace('http:', 'https:'))
    for (let version = 2; version <= 10; version += 1) {
      await until('the opening', async () => (await messages(tab)).length > 0)
      expect(await messages(tab)).toEqual(['one: hello'])
      one.edit(`v${version}`)
      await until('the reload', async () => (await tab.textContent('h1').catch(() => '')) === `one v${version}`)
    }
    const opened = events.flatMap((event) => (event.type === 'request' && event.path === '/live' ? [event.method] : []))
    expect(new Set(opened)).toEqual(new Set(['CONNECT']))
    expect(bait.connections).toBe(0)
  })
})
