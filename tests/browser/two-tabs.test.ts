// Two tabs of a real Chromium, both at one localhost URL, each with its own workspace behind it.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/poll.ts'
import { startObserved } from '../support/proxy.ts'
import { chromiumPath } from '../support/requirements.ts'
import { launch, openTab } from './chromium.ts'
import { type Seen, startWorkspaces } from './workspace.ts'

const executable = chromiumPath()

describe.skipIf(!executable)('two tabs at one URL (skipped without Chromium)', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch(executable as string)
  })
  afterAll(() => browser?.close())

  test('each shows its own workspace, by page, fetch, WebSocket and event stream', async () => {
    const { tabs, url, bait } = await open(browser)
    expect(await Promise.all(tabs.map((tab) => tab.textContent('h1')))).toEqual(['one v1', 'two v1'])
    expect(tabs.map((tab) => tab.url())).toEqual([url, url])
    for (const [index, name] of ['one', 'two'].entries()) {
      const tab = tabs[index] as Page
      await until(`everything in the tab of ${name}`, async () => {
        const { api, messages, events } = await seen(tab)
        return api && messages.length > 0 && events.length > 0
      })
      expect(await seen(tab)).toEqual({
        api: name,
        messages: [`${name}: hello`],
        events: [`hello from ${name}`],
        closed: false,
      })
    }
    expect(bait.connections).toBe(0)
  })

  test('live reload changes the tab whose workspace was edited', async () => {
    const { tabs, one, bait } = await open(browser)
    const [first, second] = tabs
    await until('the WebSocket of the first tab', async () => (await seen(first)).messages.length > 0)
    one.edit('v2')
    await until('the first tab has reloaded', async () => (await heading(first)) === 'one v2')
    expect(await heading(second)).toBe('two v1')
    expect(bait.connections).toBe(0)
  })

  test('releasing one tab cuts its traffic within a second, and not the other', async () => {
    const { tabs, one, two, bait, proxy, contexts, url } = await open(browser)
    const [first, second] = tabs
    for (const tab of tabs) {
      await until('traffic', async () => {
        const { messages, events } = await seen(tab)
        return messages.length > 0 && events.length > 0
      })
    }
    proxy.releaseContext(contexts[0].id)
    await until('the socket of the released tab is cut', async () => (await seen(first)).closed, 1_000)
    await until('its workspace sees that too', () => one.sockets.size === 0 && one.streams.size === 0, 1_000)
    expect((await seen(second)).closed).toBe(false)
    expect([two.sockets.size, two.streams.size]).toEqual([1, 1])

    expect(
      await first.evaluate(
        (address) =>
          fetch(address).then(
            ({ status }) => status,
            () => 0,
          ),
        url,
      ),
    ).not.toBe(200)
    expect(await second.evaluate((address) => fetch(address).then(({ status }) => status), url)).toBe(200)
    expect(bait.connections).toBe(0)
  })

  test('with the proxy gone, neither tab has a way to the real localhost', async () => {
    const { tabs, bait, proxy, url } = await open(browser)
    await proxy.stop()
    for (const tab of tabs) {
      await until('the socket is cut', async () => (await seen(tab)).closed, 1_000)
      await expect(tab.goto(url)).rejects.toThrow('ERR_PROXY_CONNECTION_FAILED')
    }
    expect(bait.connections).toBe(0)
  })

  test('every request is told apart by its tab', async () => {
    const { tabs, contexts, events } = await open(browser)
    for (const tab of tabs) await until('the fetch', async () => (await seen(tab)).api)
    for (const context of contexts) {
      const paths = () =>
        events.flatMap((event) => (event.type === 'request' && event.contextId === context.id ? [event.path] : []))
      await until(`the requests of ${context.username}`, () => paths().includes('/') && paths().includes('/api'))
    }
  })
})

/** Both tabs, loaded. The page comes first: Chromium answers no challenge that a WebSocket meets. */
async function open(browser: Browser) {
  const workspaces = await startWorkspaces()
  const { proxy, events } = await startObserved()
  const contexts = [
    proxy.createContext(1, { upstream: 'http://127.18.0.1:{port}' }),
    proxy.createContext(2, { upstream: 'http://127.18.0.2:{port}' }),
  ] as const
  const tabs = [await openTab(browser, proxy, contexts[0]), await openTab(browser, proxy, contexts[1])] as const
  await Promise.all(tabs.map((tab) => tab.goto(workspaces.url)))
  return { ...workspaces, proxy, events, contexts, tabs }
}

/** What the scripts of the page have seen so far. */
const seen = (tab: Page): Promise<Seen> => tab.evaluate(() => (globalThis as unknown as { seen: Seen }).seen)

/** Undefined while the page is being replaced. */
const heading = (tab: Page) => tab.textContent('h1').catch(() => undefined)
