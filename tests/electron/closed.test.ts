import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { cannotRun, launchElectron, type RemoteElectron, title } from './harness/launch.ts'
import { until } from './harness/until.ts'
import { startWorkspaces, type Workspaces } from './harness/workspaces.ts'

describe.skipIf(cannotRun)(title('a session that cannot be proxied'), () => {
  let electron: RemoteElectron
  let workspaces: Workspaces

  beforeAll(async () => {
    electron = await launchElectron()
  })

  beforeEach(async () => {
    workspaces = await startWorkspaces()
    await electron.evaluate(async ({ createTabport, state }) => {
      state.tabport = await createTabport()
    })
  })

  afterEach(async () => {
    await electron.evaluate(async ({ electron, state }) => {
      for (const window of electron.BrowserWindow.getAllWindows()) window.destroy()
      await state.tabport.stop()
    })
    await workspaces.close()
  })

  afterAll(() => electron?.close())

  const hits = (): number => workspaces.ownMachine.reduce((sum, server) => sum + server.connections(), 0)

  /** Tries everything a page has to get at the user's own machine, and gives what got through. */
  function escapes(page: string): Promise<string[]> {
    return electron.evaluate(
      async ({ greetingAt, state, textAt }, { page, port }) => {
        const window = state[page]
        const through: string[] = []
        for (const host of ['localhost', '127.0.0.1', '[::1]', 'app.localhost']) {
          const text = await textAt(window, `http://${host}:${port}/`)
          if (/own-machine|workspace/.test(text)) through.push(`${host}: ${text}`)
        }
        const greeting = await greetingAt(window, `http://localhost:${port}/`)
        if (!greeting.startsWith('closed')) through.push(`WebSocket: ${greeting}`)
        return through
      },
      { page, port: workspaces.port },
    )
  }

  const proxyOf = (page: string): Promise<string> =>
    electron.evaluate(({ state }, page) => state[page].webContents.session.resolveProxy('http://localhost/'), page)

  test('is the only kind that these checks would miss: without a proxy they do get through', async () => {
    await electron.evaluate(({ openPage, state }) => {
      state.direct = openPage()
    })

    expect(await escapes('direct')).toContain('WebSocket: hello from own-machine')
    expect(hits()).toBeGreaterThan(0)
  })

  test.each([
    ['has stopped', 'tabport'],
    ['died without a word', 'server'],
  ])('has no path to the real localhost, in either tab, after the proxy %s', async (_how, stopped) => {
    await electron.evaluate(
      async ({ openPage, textAt, state }, { url, routes, stopped }) => {
        for (const name of ['one', 'two']) {
          state[name] = openPage()
          await state.tabport.attach(state[name].webContents, { route: routes[name] })
          await textAt(state[name], url)
        }
        await (stopped === 'tabport' ? state.tabport : state.tabport.server).stop()
      },
      { url: workspaces.url, routes: workspaces.routes as Record<string, object>, stopped },
    )

    expect(await escapes('one')).toEqual([])
    expect(await escapes('two')).toEqual([])
    expect(hits()).toBe(0)
  })

  test('is left closed, and the proxy stopped, when a context is gone before', async () => {
    const outcomes = await electron.evaluate(
      async ({ openPage, outcomeOf, state }, { route }) => {
        state.one = openPage()
        const { contextId } = await state.tabport.attach(state.one.webContents, { route })
        state.tabport.server.releaseContext(contextId)
        const stopping = await outcomeOf(state.tabport.stop())
        const creating = outcomeOf(Promise.resolve().then(() => state.tabport.server.createContext(1)))
        return [stopping.code, (await creating).code]
      },
      { route: workspaces.routes.one },
    )

    expect(outcomes).toEqual(['fulfilled', 'ERR_TABPORT_STOPPED'])
    expect(await proxyOf('one')).toBe('PROXY 255.255.255.255:9')
    expect(await escapes('one')).toEqual([])
  })

  test('is left closed, and not on our old port, which somebody else may get', async () => {
    const port = await electron.evaluate(
      async ({ openPage, state }, { route }) => {
        state.one = openPage()
        await state.tabport.attach(state.one.webContents, { route })
        const { port } = state.tabport
        await state.tabport.stop()
        return port
      },
      { route: workspaces.routes.one },
    )
    const stranger = await accepting(port)

    expect(await escapes('one')).toEqual([])
    expect(stranger.connections()).toBe(0)
    stranger.server.close()
  })

  test.each([
    ['options', null],
    ['options.route', { route: null }],
    ['options.route', { route: 'http://127.18.0.1:3000' }],
    ['options.upstream', { upstream: 'http://127.18.0.1:3000' }],
    ['options.rout', { rout: {} }],
  ])('is left closed when %s is refused in %j', async (name, options) => {
    const { code, message, udp } = await electron.evaluate(async ({ openPage, outcomeOf, state }, options) => {
      state.page = openPage()
      const { webContents } = state.page
      const outcome = await outcomeOf(state.tabport.attach(webContents, options))
      return { ...outcome, udp: webContents.getWebRTCIPHandlingPolicy() }
    }, options)

    expect(code).toBe('ERR_TABPORT_INVALID_ARGUMENT')
    expect(udp).toBe('disable_non_proxied_udp')
    expect(message).toMatch(new RegExp(`^${name} (must be|is not) an `))
    expect(await escapes('page')).toEqual([])
    expect(hits()).toBe(0)
  })

  test('is left to its other tabs when the options of one more are refused', async () => {
    const text = await electron.evaluate(
      async ({ openPage, outcomeOf, textAt, state }, { url, route }) => {
        const pages = [openPage('of two'), openPage('of two')]
        await state.tabport.attach(pages[0].webContents, { route })
        await outcomeOf(state.tabport.attach(pages[1].webContents, null))
        return textAt(pages[0], url)
      },
      { url: workspaces.url, route: workspaces.routes.one },
    )

    expect(text).toBe('workspace-1')
  })

  test('is left closed when the route is refused', async () => {
    const failure = await electron.evaluate(async ({ openPage, outcomeOf, state }) => {
      state.page = openPage()
      const attaching = state.tabport.attach(state.page.webContents, { route: { upstream: 'not a URL' } })
      const { code } = await outcomeOf(attaching)
      return { code, contexts: state.tabport.stats().contexts }
    })

    expect(failure).toEqual({ code: 'ERR_TABPORT_INVALID_ROUTE', contexts: 0 })
    expect(await escapes('page')).toEqual([])
    expect(hits()).toBe(0)
  })

  test.each(['setProxy', 'resolveProxy'])('is left closed when %s fails, and can be attached later', async (step) => {
    const failure = await electron.evaluate(
      async ({ openPage, outcomeOf, state }, { route, step }) => {
        state.page = openPage()
        const { session } = state.page.webContents
        const original = session[step]
        session[step] = () => {
          session[step] = original
          return Promise.reject(new Error('out of order'))
        }
        const outcome = await outcomeOf(state.tabport.attach(state.page.webContents, { route }))
        return { ...outcome, contexts: state.tabport.stats().contexts }
      },
      { route: workspaces.routes.one, step },
    )

    expect(failure).toMatchObject({ code: 'ERR_TABPORT_WIRING', cause: 'out of order', contexts: 0 })
    expect(failure.message).toMatch(/(setting the proxy|reading the proxy settings back): out of order/)
    expect(await escapes('page')).toEqual([])
    expect(hits()).toBe(0)

    const text = await electron.evaluate(
      async ({ textAt, state }, { url, route }) => {
        await state.tabport.attach(state.page.webContents, { route })
        return textAt(state.page, url)
      },
      { url: workspaces.url, route: workspaces.routes.one },
    )
    expect(text).toBe('workspace-1')
  })

  test('is left closed when the app keeps the priming request from the proxy', async () => {
    const failure = await electron.evaluate(
      async ({ openPage, outcomeOf, state }, { route }) => {
        state.page = openPage()
        const { webRequest } = state.page.webContents.session
        const cancel = (_: unknown, answer: (decision: object) => void): void => answer({ cancel: true })
        webRequest.onBeforeRequest({ urls: ['http://tabport.invalid/*'] }, cancel)
        const outcome = await outcomeOf(state.tabport.attach(state.page.webContents, { route }))
        return { ...outcome, contexts: state.tabport.stats().contexts }
      },
      { route: workspaces.routes.one },
    )

    expect(failure).toMatchObject({ code: 'ERR_TABPORT_WIRING', contexts: 0 })
    expect(failure.message).toContain('priming the credentials')
    expect(await escapes('page')).toEqual([])
    expect(hits()).toBe(0)
  })

  test('is left closed when another proxy says yes in place of ours', async () => {
    const impostor = await agreeingProxy()
    const failure = await electron.evaluate(
      async ({ openPage, outcomeOf, state }, { route, port }) => {
        state.page = openPage()
        const { session } = state.page.webContents
        const original = session.setProxy
        session.setProxy = (config: object) => {
          session.setProxy = original
          return session.setProxy({ ...config, proxyRules: `http://127.0.0.1:${port}` })
        }
        const outcome = await outcomeOf(state.tabport.attach(state.page.webContents, { route }))
        return { ...outcome, contexts: state.tabport.stats().contexts }
      },
      { route: workspaces.routes.one, port: impostor.port },
    )

    expect(failure).toMatchObject({ code: 'ERR_TABPORT_WIRING', contexts: 0 })
    expect(failure.message).toContain('did not recognise the session')
    expect(impostor.requests).toEqual(['GET http://tabport.invalid/'])
    expect(await escapes('page')).toEqual([])
    impostor.server.close()
  })

  test('is left closed when the proxy stops in mid-attach', async () => {
    const code = await electron.evaluate(
      async ({ openPage, outcomeOf, inMidAttach, state }, { route }) => {
        state.page = openPage()
        inMidAttach(state.page, () => {
          state.stopping = state.tabport.stop()
        })
        const { code } = await outcomeOf(state.tabport.attach(state.page.webContents, { route }))
        await state.stopping
        return code
      },
      { route: workspaces.routes.one },
    )

    expect(code).toBe('ERR_TABPORT_STOPPED')
    expect(await escapes('page')).toEqual([])
    expect(hits()).toBe(0)
  })

  test('is left closed when its only tab is destroyed, in use or in mid-attach', async () => {
    const code = await electron.evaluate(
      async ({ openPage, outcomeOf, inMidAttach, state }, { route }) => {
        const first = openPage('in use')
        await state.tabport.attach(first.webContents, { route })
        first.destroy()
        const second = openPage('in mid-attach')
        inMidAttach(second, () => second.destroy())
        const { code } = await outcomeOf(state.tabport.attach(second.webContents, { route }))
        state.inUse = openPage('in use')
        state.midAttach = openPage('in mid-attach')
        return code
      },
      { route: workspaces.routes.one },
    )

    expect(code).toBe('ERR_TABPORT_DESTROYED')
    const contexts = () => electron.evaluate(({ state }) => state.tabport.stats().contexts)
    await until('both contexts to be released', async () => (await contexts()) === 0)
    expect(await escapes('inUse')).toEqual([])
    expect(await escapes('midAttach')).toEqual([])
    expect(hits()).toBe(0)
  })

  test('is given back by an explicit detach, and by nothing else', async () => {
    await electron.evaluate(
      async ({ openPage, state }, { route }) => {
        state.page = openPage()
        const tab = await state.tabport.attach(state.page.webContents, { route })
        await tab.detach()
      },
      { route: workspaces.routes.one },
    )

    await until('the way to the own machine to open', async () => (await escapes('page')).length > 0)
  })

  test('is the app’s again once the proxy has stopped, also when a tab goes that was attached', async () => {
    const proxies = await electron.evaluate(
      async ({ openPage, state }, { route }) => {
        const attached = openPage('taken back')
        await state.tabport.attach(attached.webContents, { route })
        await state.tabport.stop()
        const { session } = attached.webContents
        const proxies = [await session.resolveProxy('http://site.example/')]
        await session.setProxy({ mode: 'direct' })
        const gone = new Promise((resolve) => attached.webContents.once('destroyed', resolve))
        attached.destroy()
        await gone
        // Whatever the end of the tab has set off comes before this.
        await session.closeAllConnections?.()
        return [...proxies, await session.resolveProxy('http://site.example/')]
      },
      { route: workspaces.routes.one },
    )

    expect(proxies).toEqual(['PROXY 255.255.255.255:9', 'DIRECT'])
  })

  test('refuses what cannot be attached', async () => {
    const codes = await electron.evaluate(async ({ openPage, outcomeOf, state }) => {
      const codeOf = async (promise: Promise<unknown>): Promise<string> => (await outcomeOf(promise)).code
      const page = openPage()
      const { webContents } = page
      const codes = [await codeOf(state.tabport.attach(page)), await codeOf(state.tabport.attach(undefined))]
      page.destroy()
      codes.push(await codeOf(state.tabport.attach(webContents)))
      await state.tabport.stop()
      codes.push(await codeOf(state.tabport.attach(openPage().webContents)))
      return codes
    })

    expect(codes).toEqual([
      'ERR_TABPORT_INVALID_ARGUMENT',
      'ERR_TABPORT_INVALID_ARGUMENT',
      'ERR_TABPORT_DESTROYED',
      'ERR_TABPORT_STOPPED',
    ])
  })
})

/** Takes a port over and counts who comes. */
async function accepting(port: number): Promise<{ server: Server; connections: () => number }> {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.destroy()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve)
  })
  return { server, connections: () => connections }
}

/** A proxy that answers 204 to everything, without a word about a context. */
async function agreeingProxy(): Promise<{ server: Server; port: number; requests: string[] }> {
  const requests: string[] = []
  const server = createHttpServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    response.writeHead(204, { connection: 'close' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, port: (server.address() as AddressInfo).port, requests }
}
