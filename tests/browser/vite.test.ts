// Vite's own dev server in two workspaces, on one port: modules and hot updates reach the tab of their workspace, through
// the addon and the real workspace gateway.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Page } from 'playwright-core'
import { createServer } from 'vite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { temporaryFolder } from '../support/https.ts'
import { until } from '../support/poll.ts'
import { startProxy } from '../support/proxy.ts'
import { openTab } from './chromium.ts'
import { cannotTrust, useTrustingBrowser } from './trust.ts'

const chromium = useTrustingBrowser()

describe.skipIf(cannotTrust).each(['http', 'https'])(
  'Vite at %s://localhost (skipped without Chromium and certutil)',
  (scheme) => {
    test('replaces a module in the tab of its workspace, and reloads neither', async () => {
      const [one, gateway, proxy] = [await startVite('one', 1), await startGateway(), await startProxy()]
      const two = await startVite('two', 2, one.port)
      await chromium.trust(proxy.certificateAuthority().pem)
      const open = async (number: number) => {
        const route = { cmuxProxyOrigin: gateway.origin(), workspace: `workspace-${number}` }
        const tab = await openTab(chromium.browser, proxy, proxy.createContext(number, route))
        await tab.goto(`${scheme}://localhost:${one.port}/`)
        await until('the module', () => tab.textContent('h1'))
        return tab
      }
      const [first, second] = [await open(1), await open(2)]
      expect([await first.textContent('h1'), await second.textContent('h1')]).toEqual(['one v1', 'two v1'])
      await until('both connections for updates', () => one.tabs() === 1 && two.tabs() === 1)
      const loads = [await loaded(first), await loaded(second)]
      two.edit('v2')
      await until('the update', async () => (await second.textContent('h1')) === 'two v2')
      one.edit('v3')
      await until('the other', async () => (await first.textContent('h1')) === 'one v3')
      expect(await second.textContent('h1')).toBe('two v2')
      expect([await loaded(first), await loaded(second)]).toEqual(loads)
    })
  },
)

/** A site of two modules, one of which may be replaced, on an address of its own. */
async function startVite(name: string, number: number, port = 0) {
  const root = path.join(temporaryFolder(), name)
  const write = (file: string, text: string) => writeFileSync(path.join(root, file), text)
  const edit = (version: string) => write('text.js', `export const text = '${name} ${version}'`)
  mkdirSync(root)
  write('index.html', '<!doctype html><link rel=icon href=data:,><h1></h1><script type=module src=/main.js></script>')
  write('main.js', MAIN)
  edit('v1')
  const server = await createServer({
    ...{ root, configFile: false, logLevel: 'silent', cacheDir: path.join(root, '.vite') },
    server: { host: `127.18.0.${number}`, port, strictPort: port > 0 },
  })
  onTestFinished(() => server.close())
  await server.listen()
  const address = server.httpServer?.address()
  return { port: typeof address === 'object' && address ? address.port : 0, edit, tabs: () => server.ws.clients.size }
}

const MAIN = `
import { text } from './text.js'
const show = (text) => { document.querySelector('h1').textContent = text }
window.loaded = Math.random()
import.meta.hot.accept('./text.js', (module) => show(module.text))
show(text)`

/** Another number after each load. */
const loaded = (tab: Page) => tab.evaluate(() => (globalThis as unknown as { loaded: number }).loaded)
