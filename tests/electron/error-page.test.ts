// The page that stands in for a site whose upstream fails, in a real Electron, whose Chromium may be an old one.
import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cannotRun, launchElectron, type RemoteElectron, title } from './harness/launch.ts'
import { until } from './harness/until.ts'
import { startWorkspaces, type Workspaces } from './harness/workspaces.ts'

describe.skipIf(cannotRun)(title('the page for a failed navigation'), () => {
  let electron: RemoteElectron
  let workspaces: Workspaces
  let site: Server

  beforeEach(async () => {
    workspaces = await startWorkspaces()
    electron = await launchElectron()
    await electron.evaluate(async ({ createTabport, openPage, state }, route) => {
      state.requests = []
      const onEvent = (event: { type: string; authority: string; path: string; method: string; status: number }) => {
        if (event.type !== 'request' || event.path !== '/' || !event.authority.startsWith('localhost:')) return
        state.requests.push(`${event.method} ${event.status}`)
      }
      state.tabport = await createTabport({ onEvent })
      state.page = openPage()
      await state.tabport.attach(state.page.webContents, { route })
    }, workspaces.routes.one)
  })

  afterEach(async () => {
    await electron?.close()
    await workspaces?.close()
    await new Promise((resolve) => site.close(resolve))
  })

  const inPage = <Result>(script: string): Promise<Result> =>
    electron.evaluate(({ state }, script) => state.page.webContents.executeJavaScript(script), script)
  const requests = (): Promise<string[]> => electron.evaluate(({ state }) => state.requests)
  const restart = async () => {
    site = createServer((_, response) => {
      response.setHeader('content-type', 'text/html')
      response.end('<link rel="icon" href="data:,">restarted')
    })
    await new Promise<void>((resolve) => site.listen(workspaces.port, workspaces.one.address, resolve))
  }

  test('names the route, and becomes the site by itself', async () => {
    const { one, port, url } = workspaces
    await one.close()
    const text = await electron.evaluate(({ state, textAt }, url) => textAt(state.page, url), url)
    expect(text).toContain(`Nothing is listening at http://${one.address}:${port}.`)
    expect(text).toContain(`http://localhost:${port}\n`)
    expect(text).toContain(`http://${one.address}:${port}, by this tab's route`)
    const history = await inPage('history.length')
    await until('two tries', async () => (await requests()).length > 2)

    await restart()
    await until('the site', async () => (await inPage('document.body.innerText')) === 'restarted')
    expect(await inPage('history.length')).toBe(history)
    await until('the last request', async () => (await requests()).includes('GET 200'))
    const [first, ...others] = await requests()
    expect([first, ...others.slice(-2)]).toEqual(['GET 502', 'HEAD 200', 'GET 200'])
    expect(new Set(others.slice(0, -2))).toEqual(new Set(['HEAD 502']))
    expect(workspaces.ownMachine.map(({ connections }) => connections())).not.toContain(1)
  })

  test('is shown in a frame, while a fetch beside it gets text', async () => {
    const { one, url } = workspaces
    await electron.evaluate(({ state, textAt }, url) => textAt(state.page, url), url)
    await one.close()
    await inPage(`document.body.append(Object.assign(document.createElement('iframe'), { src: '/' }))`)
    const inFrame = () =>
      inPage<string | undefined>(`document.querySelector('iframe').contentDocument?.body?.innerText`)
    await until('the page', async () => Boolean((await inFrame())?.includes('Try now')))
    const fetched = await inPage(`fetch('/').then((answer) => [answer.status, answer.headers.get('content-type')])`)
    expect(fetched).toEqual([502, 'text/plain; charset=utf-8'])

    await restart()
    await until('the site', async () => (await inFrame()) === 'restarted')
    expect(await inPage('document.body.innerText')).toContain('workspace-1')
  })
})
