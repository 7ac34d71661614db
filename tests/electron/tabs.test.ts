import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { cannotRun, launchElectron, type RemoteElectron, title } from './harness/launch.ts'
import { udpOnOwnMachine } from './harness/udp.ts'
import { until } from './harness/until.ts'
import { startWorkspaces, type Workspaces } from './harness/workspaces.ts'

describe.skipIf(cannotRun)(title('tabs of one window, each with its own localhost'), () => {
  let electron: RemoteElectron
  let workspaces: Workspaces

  beforeAll(async () => {
    ;[electron, workspaces] = await Promise.all([launchElectron(), startWorkspaces()])
    await electron.evaluate(async ({ createTabport, state }) => {
      state.tabport = await createTabport({ partitionPrefix: 'tab-' })
    })
  })

  afterEach(async () => {
    await electron.evaluate(({ electron }) => {
      for (const window of electron.BrowserWindow.getAllWindows()) window.destroy()
    })
    await until('the contexts of closed windows to end', () =>
      electron.evaluate(({ state }) => state.tabport.stats().contexts === 0),
    )
  })

  afterAll(async () => {
    await electron?.close()
    await workspaces?.close()
  })

  test('show two workspaces at one URL', async () => {
    const { url, routes } = workspaces
    const texts = await electron.evaluate(
      async ({ openPage, textAt, state: { tabport } }, { url, routes }) => {
        const one = openPage(tabport.partitionFor('one'))
        const two = openPage(tabport.partitionFor('two'))
        await Promise.all([
          tabport.attach(one.webContents, { route: routes.one }),
          tabport.attach(two.webContents, { route: routes.two }),
        ])
        return { one: await textAt(one, url), two: await textAt(two, url), again: await textAt(one, url) }
      },
      { url, routes },
    )

    expect(texts).toEqual({ one: 'workspace-1', two: 'workspace-2', again: 'workspace-1' })
    for (const server of workspaces.ownMachine) expect(server.connections()).toBe(0)
  })

  test('fetch and stream from their own workspace, by every loopback name', async () => {
    const { port, routes } = workspaces
    const results = await electron.evaluate(
      async ({ openPage, state: { tabport } }, { port, route }) => {
        const page = openPage()
        await tabport.attach(page.webContents, { route })
        const seen = []
        for (const host of ['localhost', '127.0.0.1', '[::1]', 'app.localhost']) {
          await page.loadURL(`http://${host}:${port}/`)
          seen.push(
            await page.webContents.executeJavaScript(`(async () => {
              const fetched = await (await fetch('/api')).text()
              const event = await new Promise((resolve, reject) => {
                const events = new EventSource('/events')
                events.onmessage = ({ data }) => { events.close(); resolve(data) }
                events.onerror = () => reject(new Error('event stream failed'))
              })
              return [location.hostname, fetched, event].join(', ')
            })()`),
          )
        }
        return seen
      },
      { port, route: routes.two },
    )

    expect(results).toEqual([
      'localhost, workspace-2 /api, workspace-2',
      '127.0.0.1, workspace-2 /api, workspace-2',
      '[::1], workspace-2 /api, workspace-2',
      'app.localhost, workspace-2 /api, workspace-2',
    ])
    for (const server of workspaces.ownMachine) expect(server.connections()).toBe(0)
  })

  test('open a WebSocket as the first request of a fresh session', async () => {
    const greeting = await electron.evaluate(
      async ({ greetingAt, openPage, state: { tabport } }, { url, route }) => {
        const page = openPage()
        await tabport.attach(page.webContents, { route })
        return greetingAt(page, url)
      },
      { url: workspaces.url, route: workspaces.routes.one },
    )

    expect(greeting).toBe('hello from workspace-1')
  })

  test('detaching one cuts its socket within a second and leaves the other alone', async () => {
    await electron.evaluate(
      async ({ openPage, state }, { url, routes }) => {
        const connect = `new Promise((resolve) => {
          window.disconnected = new Promise((ended) => {
            window.socket = new WebSocket('${url.replace('http', 'ws')}ws')
            socket.onclose = () => ended('closed')
            socket.onmessage = ({ data }) => resolve(data)
          })
        })`
        state.pages = [openPage(), openPage()]
        state.tabs = [
          await state.tabport.attach(state.pages[0].webContents, { route: routes.one }),
          await state.tabport.attach(state.pages[1].webContents, { route: routes.two }),
        ]
        for (const page of state.pages) {
          await page.loadURL(url)
          await page.webContents.executeJavaScript(connect)
        }
      },
      { url: workspaces.url, routes: workspaces.routes },
    )
    expect([workspaces.one.sockets(), workspaces.two.sockets()]).toEqual([1, 1])

    const detaching = electron.evaluate(async ({ state }) => {
      await state.tabs[0].detach()
      return state.pages[0].webContents.executeJavaScript('disconnected')
    })
    await until('the upstream socket to close', () => workspaces.one.sockets() === 0, 1_000)
    expect(await detaching).toBe('closed')

    const echo = await electron.evaluate(({ state }) =>
      state.pages[1].webContents.executeJavaScript(`new Promise((resolve) => {
        socket.onmessage = ({ data }) => resolve(data)
        socket.send('still here')
      })`),
    )
    expect(echo).toBe('workspace-2: still here')
    expect(workspaces.two.sockets()).toBe(1)
  })

  test('in one session share a context, which the last to leave ends', async () => {
    const seen = await electron.evaluate(
      async ({ openPage, textAt, state: { tabport } }, { url, route }) => {
        const partition = 'shared'
        const pages = [openPage(partition), openPage(partition)]
        const tabs = await Promise.all(pages.map((page) => tabport.attach(page.webContents, { route })))
        const contexts = [tabport.stats().contexts]
        await tabs[0].detach()
        contexts.push(tabport.stats().contexts)
        const stillProxied = await textAt(pages[1], url)
        await tabs[1].detach()
        contexts.push(tabport.stats().contexts)
        return { contexts, sameContext: tabs[0].contextId === tabs[1].contextId, stillProxied }
      },
      { url: workspaces.url, route: workspaces.routes.one },
    )

    expect(seen).toEqual({ contexts: [1, 1, 0], sameContext: true, stillProxied: 'workspace-1' })
  })

  test('attached twice are the same tab, also while the first attach is under way', async () => {
    const seen = await electron.evaluate(
      async ({ openPage, state: { tabport } }, { route }) => {
        const page = openPage()
        const attach = () => tabport.attach(page.webContents, { route: Object.assign({}, route) })
        const [first, second] = await Promise.all([attach(), attach()])
        const third = await attach()
        const { contexts } = tabport.stats()
        await first.detach()
        await first.detach()
        return { same: first === second && second === third, contexts, after: tabport.stats().contexts }
      },
      { route: workspaces.routes.one },
    )

    expect(seen).toEqual({ same: true, contexts: 1, after: 0 })
  })

  test('with a route send no UDP, until they are detached', async () => {
    const { gather, ...own } = await udpOnOwnMachine()
    await electron.evaluate(
      async ({ openPage, state }, { url, route, gather }) => {
        state.page = openPage()
        state.tab = await state.tabport.attach(state.page.webContents, { route })
        await state.page.loadURL(url)
        await state.page.webContents.executeJavaScript(gather)
      },
      { url: workspaces.url, route: workspaces.routes.one, gather },
    )
    expect(own.packets()).toBe(0)

    await electron.evaluate(
      async ({ state }, { gather }) => {
        await state.tab.detach()
        state.page.webContents.executeJavaScript(gather)
      },
      { gather },
    )
    await until('WebRTC to reach the own machine', () => own.packets() > 0)
    own.close()
  })

  test('with a route send no UDP from a window that they open, which nobody has attached', async () => {
    const { gather, ...own } = await udpOnOwnMachine()
    await electron.evaluate(
      async ({ openPage, state }, { url, route, gather }) => {
        const { webContents } = openPage('opener', { nativeWindowOpen: true })
        await state.tabport.attach(webContents, { route })
        await webContents.loadURL(url)
        const run = JSON.stringify(gather)
        const atOnce = `window.open('').eval(${run})`
        const loaded = `new Promise((resolve) => {
          const opened = window.open('/')
          opened.onload = () => resolve(opened.eval(${run}))
        })`
        await webContents.executeJavaScript(atOnce, true)
        await webContents.executeJavaScript(loaded, true)
      },
      { url: workspaces.url, route: workspaces.routes.one, gather },
    )
    expect(own.packets()).toBe(0)
    own.close()
  })

  test('with a route send no UDP while another of their session is attached', async () => {
    const { gather, ...own } = await udpOnOwnMachine()
    await electron.evaluate(
      async ({ openPage, state: { tabport } }, { url, route, gather }) => {
        const pages = [openPage('both'), openPage('both')]
        const tabs = await Promise.all(pages.map(({ webContents }) => tabport.attach(webContents, { route })))
        await tabs[0].detach()
        await pages[0].loadURL(url)
        await pages[0].webContents.executeJavaScript(gather)
      },
      { url: workspaces.url, route: workspaces.routes.one, gather },
    )
    expect(own.packets()).toBe(0)
    own.close()
  })

  test('of one session cannot have two routes', async () => {
    const seen = await electron.evaluate(
      async ({ openPage, outcomeOf, textAt, state: { tabport } }, { url, routes }) => {
        const pages = [openPage('one route'), openPage('one route')]
        const first = tabport.attach(pages[0].webContents, { route: routes.one })
        const refusal = await outcomeOf(tabport.attach(pages[1].webContents, { route: routes.two }))
        await first
        return { refusal, firstStillWorks: await textAt(pages[0], url) }
      },
      { url: workspaces.url, routes: workspaces.routes },
    )

    expect(seen.refusal.code).toBe('ERR_TABPORT_SESSION_IN_USE')
    expect(seen.refusal.message).toContain('partitionFor')
    expect(seen.firstStillWorks).toBe('workspace-1')
  })

  test('with the same route may spell it differently', async () => {
    const { code } = await electron.evaluate(async ({ openPage, outcomeOf, state: { tabport } }) => {
      const pages = [openPage('one gateway'), openPage('one gateway')]
      const cmuxProxyOrigin = 'http://127.18.0.1:1'
      await tabport.attach(pages[0].webContents, { route: { cmuxProxyOrigin } })
      return outcomeOf(tabport.attach(pages[1].webContents, { route: { cmuxProxyOrigin, workspace: undefined } }))
    })

    expect(code).toBe('fulfilled')
  })

  test('of one session cannot have two proxies, one after the other they can', async () => {
    const seen = await electron.evaluate(
      async ({ createTabport, openPage, outcomeOf, textAt, state: { tabport } }, { url, routes }) => {
        const page = openPage()
        const other = await createTabport()
        const first = await other.attach(page.webContents, { route: routes.one })
        const { code } = await outcomeOf(tabport.attach(page.webContents, { route: routes.two }))
        const texts = [await textAt(page, url)]
        await other.stop()
        await tabport.attach(page.webContents, { route: routes.two })
        await first.detach()
        texts.push(await textAt(page, url))
        return { code, texts }
      },
      { url: workspaces.url, routes: workspaces.routes },
    )

    expect(seen).toEqual({ code: 'ERR_TABPORT_SESSION_IN_USE', texts: ['workspace-1', 'workspace-2'] })
  })

  test('give a session another route after they have left it', async () => {
    const texts = await electron.evaluate(
      async ({ openPage, textAt, state: { tabport } }, { url, routes }) => {
        const page = openPage()
        const seen = []
        let former: { detach: () => Promise<void> } | undefined
        for (const route of [routes.one, routes.two]) {
          const tab = await tabport.attach(page.webContents, { route })
          await former?.detach()
          seen.push(await textAt(page, url))
          await tab.detach()
          former = tab
        }
        return seen
      },
      { url: workspaces.url, routes: workspaces.routes },
    )

    expect(texts).toEqual(['workspace-1', 'workspace-2'])
  })
})
