// A real Chromium, a browser context per tab, each behind its own credentials.
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import type { ProxyContextInfo, ProxyServer } from 'tabport'
import { onTestFinished } from 'vitest'
import { LOOPBACK_ONLY } from '../support/requirements.ts'

const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-gpu', '--no-first-run']

/** What a tab must know of its proxy; a relay in front of it has another port. */
export type Listener = Pick<ProxyServer, 'port' | 'listenerCertificate'>

interface Launch {
  /** Where it finds the user's certificates, among other things. */
  home?: string
  args?: string[]
}

export function launch(executablePath: string, { home, args = [] }: Launch = {}): Promise<Browser> {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const env = home ? { ...process.env, HOME: home } : undefined
  return chromium.launch({ executablePath, args: [LOOPBACK_ONLY, ...QUIET, ...sandbox, ...args], env })
}

/** A tab of its own browser context, all of whose traffic goes through the proxy with these credentials. */
export async function openTab(browser: Browser, proxy: Listener, context: ProxyContextInfo): Promise<Page> {
  const { username, password } = context
  const tab = await newContext(browser, { server: address(proxy), username, password })
  return tab.newPage()
}

/**
 * The same with Chromium's HTTP cache, which playwright turns off wherever it is given credentials: they are
 * given to Chromium once, with a request that the proxy answers for itself, as the Electron wiring does it.
 */
export async function openCachingTab(browser: Browser, proxy: Listener, context: ProxyContextInfo): Promise<Page> {
  const { username, password } = context
  const tab = await (await newContext(browser, { server: address(proxy) })).newPage()
  const devTools = await tab.context().newCDPSession(tab)
  devTools.on('Fetch.requestPaused', ({ requestId }) => devTools.send('Fetch.continueRequest', { requestId }))
  devTools.on('Fetch.authRequired', ({ requestId }) => {
    const authChallengeResponse = { response: 'ProvideCredentials', username, password } as const
    return devTools.send('Fetch.continueWithAuth', { requestId, authChallengeResponse })
  })
  await devTools.send('Fetch.enable', { handleAuthRequests: true })
  await tab.evaluate(() => fetch('http://tabport.invalid/', { mode: 'no-cors' }))
  await devTools.detach()
  return tab
}

const address = (proxy: Listener) => `${proxy.listenerCertificate() ? 'https' : 'http'}://127.0.0.1:${proxy.port()}`

async function newContext(
  browser: Browser,
  proxy: { server: string; username?: string; password?: string },
): Promise<BrowserContext> {
  const context = await browser.newContext({ proxy })
  onTestFinished(() => context.close())
  return context
}
