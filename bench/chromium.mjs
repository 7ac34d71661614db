// A real Chromium, and tabs of it behind a proxy. Every tab is a browser context of its own, which has its own HTTP
// cache, connections and credentials: one browser serves all measurements, as warm for one way as for another, and
// each of them starts cold. Nothing but loopback can be reached from it.
import { createHash, X509Certificate } from 'node:crypto'
import { findChromium, LOOPBACK_ONLY } from '../scripts/lib/chromium.mjs'
import { StepError } from '../scripts/lib/step.mjs'
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
  const { default: puppeteer } = await import('puppeteer-core')
  const trusted = `--ignore-certificate-errors-spki-list=${certificates.map(keyDigest).join(',')}`
  const sandbox = process.getuid() === 0 ? ['--no-sandbox'] : []
  return puppeteer.launch({ executablePath: findChromium(), args: [LOOPBACK_ONLY, trusted, ...QUIET, ...sandbox] })
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
  const through = proxy && { proxyServer: proxy.server, proxyBypassList: ['<-loopback>'] }
  const context = await browser.createBrowserContext(through)
  const tab = new Tab(context, await openTarget(browser, context))
  await tab.loginWhile(proxy, () => tab.goto(first))
  return tab
}

/**
 * A target without the page that puppeteer would make of it: that has every request reported to itself, which a load
 * of 300 modules spends a third of its time on.
 */
async function openTarget(browser, context) {
  const opener = await browser.target().createCDPSession()
  await opener.send('Target.createTarget', { url: 'about:blank', browserContextId: context.id })
  await opener.detach()
  const target = await context.waitForTarget((candidate) => candidate.type() === 'page')
  return target.createCDPSession()
}

/** A tab that is told what to do, and asked what came of it, but does not report what it does meanwhile. */
class Tab {
  #context
  #session

  constructor(context, session) {
    this.#context = context
    this.#session = session
  }

  /** Resolves when the page has loaded. */
  async goto(url) {
    await this.#session.send('Page.enable')
    const loaded = new Promise((resolve) => this.#session.once('Page.loadEventFired', resolve))
    const { errorText } = await this.#session.send('Page.navigate', { url })
    if (errorText) throw new StepError(`Chromium cannot load ${url}: ${errorText}`)
    await loaded
    await this.#session.send('Page.disable')
  }

  /** What `run` returns, or resolves to, in the page. */
  async evaluate(run, argument) {
    const expression = `(${run})(${JSON.stringify(argument)})`
    const ask = { expression, awaitPromise: true, returnByValue: true }
    const { result, exceptionDetails } = await this.#session.send('Runtime.evaluate', ask)
    if (exceptionDetails) throw new StepError(`In Chromium: ${exceptionDetails.exception?.description}`)
    return result.value
  }

  /**
   * Answers a proxy's challenges while `act` runs, and no longer: to do so, Chromium hands over every request, too.
   */
  async loginWhile({ username, password } = {}, act) {
    // What the end overtakes goes on without an answer.
    const answer = (method, parameters) => this.#session.send(method, parameters).catch(() => {})
    this.#session.on('Fetch.requestPaused', ({ requestId }) => answer('Fetch.continueRequest', { requestId }))
    this.#session.on('Fetch.authRequired', ({ requestId }) => {
      const authChallengeResponse = { response: 'ProvideCredentials', username, password }
      return answer('Fetch.continueWithAuth', { requestId, authChallengeResponse })
    })
    await this.#session.send('Fetch.enable', { handleAuthRequests: true })
    await act()
    await this.#session.send('Fetch.disable')
  }

  close() {
    return this.#context.close()
  }
}
