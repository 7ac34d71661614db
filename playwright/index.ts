/**
 * `tabport/playwright`: a `test` whose browser contexts have a localhost of their own.
 *
 * Each worker runs one proxy. A context for which `localhost` is set goes through it with credentials of its own,
 * and what it shows at `http://localhost:3000` is where its route leads.
 *
 * @module tabport/playwright
 */
import {
  type BrowserContext,
  type BrowserContextOptions,
  test as base,
  type PlaywrightTestArgs,
  type PlaywrightTestOptions,
  type PlaywrightWorkerArgs,
  type PlaywrightWorkerOptions,
  type TestType,
} from '@playwright/test'
import { type ListenOptions, ProxyServer } from 'tabport'
import { checkProxy, openLocalhost, type ProxySettings, type Route, refuseOtherProxy } from './localhost'
import { trustArgument } from './trust'

export { expect } from '@playwright/test'
export type { ProxySettings, Route }

/** What a test may set with `test.use`, and what it is given. */
export interface LocalhostFixtures {
  /**
   * Where loopback names lead in this test's `context` and `page`, and in every context that `browser.newContext()`
   * makes without a `proxy`. Without it they lead where they say.
   *
   * @defaultValue `undefined`
   */
  localhost: Route | undefined
  /**
   * Opens a further browser context with a route of its own; it is closed when the test ends. The test's options
   * (`baseURL`, `locale` and so on) hold for it, too, unless `options` says otherwise.
   */
  newLocalhost: (route: Route, options?: Omit<BrowserContextOptions, 'proxy'>) => Promise<BrowserContext>
  /** The proxy settings of `localhost`; for the fixtures of this module. */
  localhostSettings: ProxySettings | undefined
  /** Fails a test whose contexts would not go through the proxy; for every test of this module. */
  localhostChecked: undefined
}

/** What a project may set in its configuration, and what a worker shares. */
export interface LocalhostWorkerFixtures {
  /**
   * Options of the worker's proxy, such as `upstreamProxy` or `extraCa`. `secure` is not for Playwright.
   *
   * @defaultValue `{}`
   */
  localhostProxy: Omit<ListenOptions, 'secure'>
  /** The worker's proxy: its `stats()`, its `certificateAuthority()`. */
  localhostServer: ProxyServer
}

/** A `test` of Playwright's with the fixtures of this module. */
export type LocalhostTest = TestType<
  PlaywrightTestArgs & PlaywrightTestOptions & LocalhostFixtures,
  PlaywrightWorkerArgs & PlaywrightWorkerOptions & LocalhostWorkerFixtures
>

/** Playwright's own `test`, with `localhost` and what belongs to it. */
export const test: LocalhostTest = base.extend<LocalhostFixtures, LocalhostWorkerFixtures>({
  localhost: [undefined, { option: true }],
  localhostProxy: [{}, { option: true, scope: 'worker' }],

  localhostServer: [
    async ({ localhostProxy }, use) => {
      const server = await ProxyServer.listen(localhostProxy)
      await use(server)
      await server.stop()
    },
    { scope: 'worker' },
  ],

  launchOptions: [
    async ({ launchOptions, browserName, localhostServer }, use) => {
      if (browserName !== 'chromium') return use(launchOptions)
      const trust = trustArgument(localhostServer.certificateAuthority())
      await use({ ...launchOptions, args: [...(launchOptions.args ?? []), trust] })
    },
    { scope: 'worker' },
  ],

  localhostSettings: async ({ localhost, localhostServer, browserName }, use) => {
    if (!localhost) return use(undefined)
    const { settings, release } = openLocalhost(localhostServer, localhost, browserName)
    await use(settings)
    release()
  },

  proxy: async ({ proxy, localhostSettings }, use) => {
    if (localhostSettings) refuseOtherProxy(proxy)
    await use(localhostSettings ?? proxy)
  },

  localhostChecked: [
    async ({ proxy, localhostSettings }, use) => {
      checkProxy(localhostSettings, proxy)
      await use(undefined)
    },
    { auto: true },
  ],

  newLocalhost: async ({ browser, browserName, localhostServer }, use) => {
    const ends: (() => Promise<void>)[] = []
    await use(async (route, options) => {
      const { settings, release } = openLocalhost(localhostServer, route, browserName)
      ends.push(async () => release())
      const context = await browser.newContext({ ...options, proxy: settings })
      ends.push(() => context.close())
      return context
    })
    for (const end of ends.reverse()) await end()
  },
})
