// A real Chromium, and tabs of it behind a proxy. Every tab is a browser context of its own, which has its own HTTP
// cache, connections and credentials: one browser serves all measurements, as warm for one way as for another, and
// each of them starts cold. Nothing but loopback can be reached from it.
import { createHash, X509Certificate } from 'node:crypto'
import { findChromium, LOOPBACK_ONLY } from '../scripts/lib/chromium.mjs'
import { installSystemPackages } from '../scripts/lib/system.mjs'

const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-gpu', '--no-first-run']

/** Installs one where there is none. Returns why that cannot be done, by name, as for other people's proxies. */
export async function provideChromium() {
  if (findChromium()) return {}
  if (process.env.TABPORT_CHROMIUM) return { chromium: 'TABPORT_CHROMIUM names no file' }
  const why = await installSystemPackages(['browser'], (howTo) => howTo).catch((error) => error.message)
  return findChromium() ? {} : { chromium: why }
}

/** Starts it; it takes these certificates, in PEM, for valid. */
export async function launchChromium(certificates) {
  // Not at the top: the npm packages are installed by the same command.
  const { chromium } = await import('playwright-core')
  const trusted = `--ignore-certificate-errors-spki-list=${certificates.map(keyDigest).join(',')}`
  const sandbox = process.getuid() === 0 ? ['--no-sandbox'] : []
  return chromium.launch({ executablePath: findChromium(), args: [LOOPBACK_ONLY, trusted, ...QUIET, ...sandbox] })
}

/** The SHA-256 of a certificate's public key, as Chromium lists those that it is to trust. */
function keyDigest(pem) {
  const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(key).digest('base64')
}

/**
 * A tab whose traffic goes through `proxy` (`server`, `username` and `password`), or nowhere but straight to the origin.
 * It has loaded `first`, so that the proxy's challenge is over.
 */
export async function openTab(browser, proxy, first) {
  const context = await browser.newContext(proxy ? { proxy: { server: proxy.server } } : {})
  const tab = await context.newPage()
  const login = await answerChallenges(tab, proxy)
  await tab.goto(first)
  await login.detach()
  return tab
}

/**
 * Answers a proxy's challenges until it is detached. Credentials given to the context instead would make playwright
 * hold back every later request, too, to look for challenges.
 */
async function answerChallenges(tab, { username, password } = {}) {
  const session = await tab.context().newCDPSession(tab)
  // What the end of the session overtakes goes on without an answer.
  const answer = (method, parameters) => session.send(method, parameters).catch(() => {})
  session.on('Fetch.requestPaused', ({ requestId }) => answer('Fetch.continueRequest', { requestId }))
  session.on('Fetch.authRequired', ({ requestId }) => {
    const authChallengeResponse = { response: 'ProvideCredentials', username, password }
    return answer('Fetch.continueWithAuth', { requestId, authChallengeResponse })
  })
  await session.send('Fetch.enable', { handleAuthRequests: true })
  return session
}
