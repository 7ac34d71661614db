// docs/routes.md: each preset makes the URL beside it, each URL is read as that preset's route, and each route leads where
// the page says.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ProxyServer, presets, routeFromUrl, urlFromRoute } from 'tabport'
import { request } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { undiciAgent } from '../support/clients.ts'
import { startWorkspace } from '../support/origin.ts'

const page = readFileSync(fileURLToPath(new URL('../../docs/routes.md', import.meta.url)), 'utf8')
const cells = [...page.matchAll(/^\|(.*)\|$/gm)].map(([, row = '']) => row.split(' | ').map((cell) => cell.trim()))
const code = (cell = '') => cell.replace(/^`|`$/g, '')

const providers = cells.filter(([, , preset]) => preset?.startsWith('`presets.'))
const forms = cells.filter(([form]) => form?.startsWith('`{ '))

test('there is something to check', () => {
  expect(providers).toHaveLength(Object.keys(presets).length)
  expect(forms.length).toBeGreaterThan(4)
})

test.each(providers)('%s', (_name, url, preset) => {
  const route = new Function('presets', `return ${code(preset)}`)(presets)
  expect(`\`${urlFromRoute(route, 3000)}\``).toBe(url)
  const [, , domain = ''] = code(url).match(/^https:\/\/([^.]+)\.(.+)$/) ?? []
  expect(routeFromUrl(code(url), { domains: { coder: [domain] } })).toMatchObject({ port: 3000, route })
})

test.each(forms)('%s', async (form, leadsTo) => {
  const proxy = await ProxyServer.listen()
  onTestFinished(() => proxy.stop())
  const route = new Function(`return ${code(form)}`)()
  expect(proxy.createContext(1, route).webContentsId).toBe(1)
  if (/^`https?:[^`]+`$/.test(leadsTo ?? '')) expect(`\`${urlFromRoute(route, 3000)}\``).toBe(leadsTo)
})

test('a server behind a template sees its own Host', async () => {
  const { origin, route } = await startWorkspace()
  const proxy = await ProxyServer.listen()
  onTestFinished(() => proxy.stop())
  const dispatcher = undiciAgent(proxy, proxy.createContext(1, route))
  const { body } = await request(`http://localhost:${origin.port}/`, { dispatcher })
  expect(await body.json()).toMatchObject({ host: `127.18.0.1:${origin.port}` })
})

test.each([
  'https://{port}-{port}.a.example',
  'http://127.18.0.{port}',
  'http://a.example:80{port}',
  'http://a.example/x',
])('%s is no template', async (upstream) => {
  const proxy = await ProxyServer.listen()
  onTestFinished(() => proxy.stop())
  expect(() => proxy.createContext(1, { upstream })).toThrow(
    expect.objectContaining({ code: 'ERR_TABPORT_INVALID_ROUTE' }),
  )
})
