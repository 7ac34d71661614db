// Chromium's HTTP cache on intercepted pages. Chromium keeps nothing that came over a connection whose certificate it
// would have refused, so this holds only where the proxy's authority is really trusted.
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { type Answer, startWorkspace } from '../support/origin.ts'
import { startProxy } from '../support/proxy.ts'
import { openCachingTab } from './chromium.ts'
import { cannotTrust, useTrustingBrowser } from './trust.ts'

const chromium = useTrustingBrowser()

describe.skipIf(cannotTrust).each([
  ['a plain listener', false],
  ['a secure listener', true],
] as const)('the cache behind %s (skipped without Chromium and certutil)', (_name, secure) => {
  test('fetches once what may be kept, and asks again for what must be', async () => {
    const { origin, route } = await startWorkspace(site)
    const proxy = await startProxy({ secure })
    await chromium.trust(proxy.certificateAuthority().pem)
    const tab = await openCachingTab(chromium.browser, proxy, proxy.createContext(1, route))
    const url = `https://localhost:${origin.port}/`
    for (const load of [1, 2]) {
      await tab.goto(url)
      expect(await loaded(tab), `load ${load}`).toEqual(['kept', 'tagged', 'never'])
    }
    const asked = (path: string) => origin.seen.filter((request) => request.url === path)
    expect(asked('/')).toHaveLength(2)
    expect(asked('/kept.js')).toHaveLength(1)
    expect(asked('/never.js')).toHaveLength(2)
    expect(asked('/tagged.js').map(({ headers }) => headers['if-none-match'])).toEqual([undefined, TAG])
    expect(await fromCache(tab)).toEqual(['kept.js'])
  })
})

const TAG = '"one"'

const site: Answer = (request, response) => {
  const script = (name: string, cacheControl: string) => {
    response.setHeader('Content-Type', 'text/javascript').setHeader('Cache-Control', cacheControl)
    response.end(`loaded.push('${name}')`)
  }
  if (request.url === '/kept.js') return script('kept', 'max-age=3600')
  if (request.url === '/never.js') return script('never', 'no-store')
  if (request.url === '/tagged.js') {
    response.setHeader('ETag', TAG)
    return request.headers['if-none-match'] === TAG ? response.writeHead(304).end() : script('tagged', 'no-cache')
  }
  response.writeHead(200, { 'Content-Type': 'text/html', 'Cache-Control': 'no-store' }).end(PAGE)
}

const PAGE = `<!doctype html><link rel=icon href=data:,><script>loaded = []</script>
<script src=/kept.js></script><script src=/tagged.js></script><script src=/never.js></script>`

const loaded = (tab: Page) => tab.evaluate(() => (globalThis as unknown as { loaded: string[] }).loaded)

/** The scripts that took no byte on their way. */
const fromCache = (tab: Page) =>
  tab.evaluate(() => {
    const entries = performance.getEntriesByType('resource') as PerformanceResourceTiming[]
    const scripts = entries.filter(({ name, transferSize }) => name.endsWith('.js') && transferSize === 0)
    return scripts.map(({ name }) => name.split('/').at(-1))
  })
