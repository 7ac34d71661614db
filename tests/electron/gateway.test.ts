// Tabs of a real Electron through the addon and the real workspace gateway: what each shows at one localhost URL, and what
// stands in for a site whose way ends early.
import { createServer } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Gateway } from '../support/gateway.ts'
import { cannotRun, launchElectron, type RemoteElectron, title } from './harness/launch.ts'
import { until } from './harness/until.ts'
import { startWorkspaces, type Workspaces } from './harness/workspaces.ts'

const TOKEN = 't0ken'

describe.skipIf(cannotRun)(title('two tabs through a gateway'), () => {
  let electron: RemoteElectron
  let workspaces: Workspaces
  let gateway: Gateway
  let closed: Gateway

  beforeAll(async () => {
    electron = await launchElectron()
    gateway = await Gateway.launch()
    closed = await Gateway.launch([], { CMUX_AUTH_TOKEN: TOKEN })
    await electron.evaluate(async ({ createTabport, state }) => {
      state.tabport = await createTabport()
    })
  })

  beforeEach(async () => {
    workspaces = await startWorkspaces()
  })

  afterEach(async () => {
    await electron.evaluate(({ electron }) => {
      for (const window of electron.BrowserWindow.getAllWindows()) window.destroy()
    })
    for (const server of workspaces.ownMachine) expect(server.connections()).toBe(0)
    await workspaces.close()
  })

  afterAll(async () => {
    await electron?.close()
    await Promise.all([gateway?.close(), closed?.close()])
  })

  const route = (number: number, to = gateway) => ({
    cmuxProxyOrigin: to.origin(),
    workspace: `workspace-${number}`,
  })

  /** Attaches a tab for each route, `state.pages`, and gives what each shows. */
  const open = (routes: object[], url: string): Promise<string[]> =>
    electron.evaluate(
      async ({ openPage, textAt, state }, { routes, url }) => {
        state.pages = routes.map(() => openPage())
        const attach = (page: { webContents: object }, index: number) =>
          state.tabport.attach(page.webContents, { route: routes[index] })
        await Promise.all(state.pages.map(attach))
        return Promise.all(state.pages.map((page: object) => textAt(page, url)))
      },
      { routes, url },
    )

  /** What a script gives in each tab. */
  const inEach = <Result>(script: string): Promise<Result[]> =>
    electron.evaluate(
      ({ state }, script) =>
        Promise.all(
          state.pages.map(({ webContents }: { webContents: { executeJavaScript(script: string): unknown } }) =>
            webContents.executeJavaScript(script),
          ),
        ),
      script,
    )

  test.each(['http', 'https'])('%s://localhost is another world in each', async (scheme) => {
    const url = `${scheme}://localhost:${workspaces.port}/`
    expect(await open([route(1), route(2)], url)).toEqual(['workspace-1', 'workspace-2'])
    const seen = await inEach(`Promise.all([
      location.href,
      fetch('/api').then((answer) => answer.text()),
      new Promise((resolve) => {
        const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws', ['vite-hmr'])
        const texts = []
        socket.onopen = () => socket.send('hello')
        socket.onmessage = ({ data }) => texts.push(data) === 2 && resolve([socket.protocol, ...texts])
        socket.onclose = ({ code }) => resolve('closed ' + code)
      }),
      new Promise((resolve) => {
        new EventSource('/events').onmessage = ({ data }) => resolve(data)
      }),
    ])`)
    const world = (name: string) => [
      ...[url, `${name} /api`],
      ['vite-hmr', `hello from ${name}`, `${name}: hello`],
      name,
    ]
    expect(seen).toEqual([world('workspace-1'), world('workspace-2')])
  })

  test('a WebSocket may be the first request', async () => {
    const greeting = await electron.evaluate(
      async ({ greetingAt, openPage, state: { tabport } }, { url, route }) => {
        const page = openPage()
        await tabport.attach(page.webContents, { route })
        return greetingAt(page, url)
      },
      { url: workspaces.url, route: route(2) },
    )
    expect(greeting).toBe('hello from workspace-2')
  })

  test('a server that is down is a page that becomes the site by itself, and the other tab stays', async () => {
    const { one, port, url } = workspaces
    await one.close()
    const [text, other] = await open([route(1), route(2)], url)
    expect(text).toContain(`Nothing is listening at http://${one.address}:${port}.`)
    expect(text).toContain(`localhost:${port}\n`)
    expect(other).toBe('workspace-2')
    const site = createServer((_, response) => {
      response.setHeader('content-type', 'text/html').end('<link rel="icon" href="data:,">restarted')
    })
    onTestFinished(() => new Promise((resolve) => void site.close(() => resolve()).closeAllConnections()))
    await new Promise<void>((resolve) => site.listen(port, one.address, resolve))
    await until('the site', async () => (await inEach('document.body.innerText'))[0] === 'restarted', 15_000)
    expect(await inEach('document.body.innerText')).toEqual(['restarted', 'workspace-2'])
  })

  test('a gateway with a token lets in the tab whose route has it, and tells the other what it lacks', async () => {
    const [refused, shown] = await open(
      [route(1, closed), { ...route(2, closed), cmuxProxyToken: TOKEN }],
      workspaces.url,
    )
    expect(refused).toContain(`The gateway ${closed.origin()} wants a token`)
    expect(shown).toBe('workspace-2')
    expect(workspaces.one.connections()).toBe(0)
    const { code, message } = await electron.evaluate(async ({ outcomeOf, state: { pages, tabport } }) => {
      return outcomeOf(tabport.attach(pages[1].webContents, { route: { upstream: 'http://127.18.0.1' } }))
    })
    expect([code, message]).toEqual(['ERR_TABPORT_SESSION_IN_USE', expect.not.stringContaining(TOKEN)])
  })
})
