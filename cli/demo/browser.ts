// The demo in a Chromium: one window for each world, both at one URL.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProxyServer } from 'tabport'
import { DevTools } from './devtools'
import type { World, Worlds } from './worlds'

const QUIET = ['--no-first-run', '--no-default-browser-check', '--disable-background-networking', '--disable-sync']
const WIDTH = 560
const DEADLINE_MS = 15_000

export interface Shown {
  world: World
  title: string
  url: string
}

export interface Opened {
  shown: Shown[]
  /** Resolves when the user has closed the browser. */
  ended: Promise<void>
  close(): Promise<void>
}

export async function openBrowser(
  executable: string,
  { all, url }: Worlds,
  proxy: ProxyServer,
  headless: boolean,
): Promise<Opened> {
  const profile = mkdtempSync(join(tmpdir(), 'tabport-demo-'))
  const mode = headless ? ['--headless', '--disable-gpu'] : []
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const args = [`--user-data-dir=${profile}`, '--no-startup-window', ...QUIET, ...mode, ...sandbox]
  // Only what the page asks for, and nothing of the browser's own, can be looked up.
  const browser = new DevTools(executable, [...args, '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'])
  const close = async () => {
    await browser.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    const shown = await Promise.all(all.map((world, index) => openWindow(browser, world, index, url, proxy)))
    return { shown, ended: browser.ended, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function openWindow(
  browser: DevTools,
  world: World,
  index: number,
  url: string,
  proxy: ProxyServer,
): Promise<Shown> {
  const credentials = proxy.createContext(index + 1, world.route)
  const { browserContextId } = await browser.send('Target.createBrowserContext', {
    proxyServer: `http://127.0.0.1:${proxy.port()}`,
    proxyBypassList: '<-loopback>',
  })
  const place = { left: 20 + index * (WIDTH + 20), top: 60, width: WIDTH, height: 420, newWindow: true }
  const { targetId } = await browser.send('Target.createTarget', { url: 'about:blank', browserContextId, ...place })
  const attached = await browser.send('Target.attachToTarget', { targetId, flatten: true })
  const session = attached.sessionId as string
  answerProxy(browser, session, credentials)
  await browser.send('Fetch.enable', { handleAuthRequests: true }, session)
  await browser.send('Page.navigate', { url }, session)
  return { world, ...(await read(browser, session)) }
}

/** Gives the proxy its credentials when it asks, and lets everything else pass. */
function answerProxy(browser: DevTools, session: string, credentials: { username: string; password: string }): void {
  const { username, password } = credentials
  browser.on((method, { requestId }, sessionId) => {
    if (sessionId !== session) return
    if (method === 'Fetch.requestPaused')
      void browser.send('Fetch.continueRequest', { requestId }, session).catch(() => {})
    if (method !== 'Fetch.authRequired') return
    const authChallengeResponse = { response: 'ProvideCredentials', username, password }
    void browser.send('Fetch.continueWithAuth', { requestId, authChallengeResponse }, session).catch(() => {})
  })
}

/** What the page shows, once it is there. */
async function read(browser: DevTools, session: string): Promise<Omit<Shown, 'world'>> {
  const expression = 'document.querySelector("h1") ? [document.querySelector("h1").textContent, location.href] : null'
  const deadline = Date.now() + DEADLINE_MS
  while (Date.now() < deadline) {
    const evaluated = await browser
      .send('Runtime.evaluate', { expression, returnByValue: true }, session)
      .catch(() => ({}))
    const [title, url] = (evaluated as { result?: { value?: [string, string] } }).result?.value ?? []
    if (title && url) return { title, url }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('Chromium did not show the page')
}
