// A real Chromium through the addon and the real workspace gateway: two tabs at one localhost URL, and what is shown where
// the way ends early.
import type { Page } from 'playwright-core'
import type { GatewayRoute, ListenOptions } from 'tabport'
import { describe, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { startProxy } from '../support/proxy.ts'
import { openTab } from './chromium.ts'
import { cannotTrust, useTrustingBrowser } from './trust.ts'
import { type Seen, startWorkspaces } from './workspace.ts'

const WAYS: [name: string, scheme: 'http' | 'https', options: ListenOptions][] = [
  ['http:', 'http', {}],
  ['https:', 'https', {}],
  ['http: and a secure listener', 'http', { secure: true }],
  ['https: and a secure listener', 'https', { secure: true }],
]

const chromium = useTrustingBrowser()

/** Two tabs, each with a route to a workspace of the gateway. */
async function openTabs(
  gateway: Pick<Gateway, 'origin'>,
  options: ListenOptions = {},
  more: Partial<GatewayRoute> = {},
) {
  const proxy = await startProxy(options)
  await chromium.trust(proxy.certificateAuthority().pem)
  const open = (number: number) => {
    const route = { cmuxProxyOrigin: gateway.origin(), workspace: `workspace-${number}`, ...more }
    return openTab(chromium.browser, proxy, proxy.createContext(number, route))
  }
  return [await open(1), await open(2)] as const
}

describe.skipIf(cannotTrust).each(WAYS)(
  'two tabs through a gateway, %s (skipped without Chromium and certutil)',
  (...way) => {
    const [, scheme, options] = way

    async function open() {
      const [workspaces, gateway] = [await startWorkspaces(), await startGateway()]
      const url = workspaces.url.replace('http', scheme)
      const tabs = await openTabs(gateway, options)
      await Promise.all(tabs.map((tab) => tab.goto(url)))
      return { ...workspaces, url, tabs }
    }

    test('each has its own world, by page, fetch, WebSocket and event stream', async () => {
      const { tabs, url, bait } = await open()
      expect(tabs.map((tab) => tab.url())).toEqual([url, url])
      for (const [index, name] of ['one', 'two'].entries()) {
        const tab = tabs[index]!
        const whole = { api: name, messages: [`${name}: hello`], events: [`hello from ${name}`], closed: false }
        await until(`everything in the tab of ${name}`, async () => {
          const { api, messages, events } = await seen(tab)
          return api && messages.length > 0 && events.length > 0
        })
        expect([await heading(tab), await seen(tab)]).toEqual([`${name} v1`, whole])
        expect(await speak(tab, 'vite-hmr')).toEqual(['vite-hmr', `${name}: again`])
      }
      expect(bait.connections).toBe(0)
    })

    test('live reload changes the tab whose workspace was edited', async () => {
      const { tabs, two } = await open()
      const [first, second] = tabs
      for (const tab of tabs) await until('the WebSocket', async () => (await seen(tab)).messages.length > 0)
      two.edit('v2')
      await until('the second tab has reloaded', async () => (await heading(second)) === 'two v2')
      expect([await heading(first), (await seen(first)).closed]).toEqual(['one v1', false])
    })

    test('a server that is down is a page that becomes the site by itself', async () => {
      const { tabs, one, url } = await open()
      const { port } = one.origin
      await one.origin.close()
      expect((await tabs[0].goto(url))?.status()).toBe(502)
      expect(await heading(tabs[0])).toBe(`Nothing is listening at http://127.18.0.1:${port}.`)
      expect(await heading(tabs[1])).toBe('two v1')
      await startOrigin((_, response) => response.setHeader('Content-Type', 'text/html').end('<h1>back</h1>'), {
        ...{ host: '127.18.0.1', port },
      })
      await until('the site', async () => (await heading(tabs[0])) === 'back', 15_000)
      expect(tabs[0].url()).toBe(url)
    })
  },
)

describe.skipIf(cannotTrust)(
  'a gateway that does not let a tab through (skipped without Chromium and certutil)',
  () => {
    test('is named where it is down, and the site is shown once it is back', async () => {
      const [{ url, bait }, gateway] = [await startWorkspaces(), await startGateway()]
      await gateway.close()
      const [tab] = await openTabs(gateway)
      await tab.goto(url)
      expect(await heading(tab)).toBe(`Nothing is listening at ${gateway.origin()}.`)
      expect(await tab.textContent('dl')).toContain(`the workspace gateway ${gateway.origin()} (workspace workspace-1)`)
      await startGateway(['--listen', `127.0.0.1:${gateway.port()}`])
      await until('the site', async () => (await heading(tab)) === 'one v1', 15_000)
      expect(bait.connections).toBe(0)
    })

    test('with a token lets in the tab whose route has it, and tells the others what they lack', async () => {
      const [{ url, one, bait }, gateway] = [
        await startWorkspaces(),
        await startGateway([], { CMUX_AUTH_TOKEN: 't0ken' }),
      ]
      for (const token of [{}, { cmuxProxyToken: 'wr0ng' }]) {
        const [tab] = await openTabs(gateway, {}, token)
        expect((await tab.goto(url))?.status()).toBe(502)
        expect(await heading(tab)).toBe(
          `The gateway ${gateway.origin()} wants a token, which the route has not or has wrong.`,
        )
        expect(await tab.content()).not.toContain('wr0ng')
      }
      expect([one.origin.connections, bait.connections]).toEqual([0, 0])
      const [tab] = await openTabs(gateway, {}, { cmuxProxyToken: 't0ken' })
      await tab.goto(url)
      await until('the WebSocket', async () => (await seen(tab)).messages.length > 0)
      expect(await speak(tab, 'vite-hmr')).toEqual(['vite-hmr', 'one: again'])
      expect(JSON.stringify(one.origin.seen)).not.toContain('t0ken')
    })
  },
)

/** What the scripts of the page have seen so far. */
const seen = (tab: Page): Promise<Seen> => tab.evaluate(() => (globalThis as unknown as { seen: Seen }).seen)

/** Undefined while the page is being replaced. */
const heading = (tab: Page) => tab.textContent('h1', { timeout: 1_000 }).catch(() => undefined)

/** Opens another WebSocket in a protocol, and gives the one agreed on and what comes back. */
const speak = (tab: Page, protocol: string) =>
  tab.evaluate(
    (protocol) =>
      new Promise((resolve) => {
        const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/live`, [protocol])
        socket.onopen = () => socket.send('again')
        socket.onmessage = ({ data }) => resolve([socket.protocol, data])
        socket.onclose = ({ code }) => resolve(['closed', code])
      }),
    protocol,
  )
