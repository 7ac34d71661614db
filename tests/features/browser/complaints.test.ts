// What users of other proxies complain about, where it takes a real browser to see it.
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { launch, openTab } from '../../browser/chromium.ts'
import { startWorkspaces } from '../../browser/workspace.ts'
import { until } from '../../support/poll.ts'
import { startProxy } from '../../support/proxy.ts'
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
