import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { cannotRun, launchElectron, type RemoteElectron, title } from './harness/launch.ts'
import { until } from './harness/until.ts'
import { startWorkspaces, type Workspaces } from './harness/workspaces.ts'

const LOOPBACK = ['localhost', 'localhost.', 'app.localhost', '127.0.0.1', '127.18.0.5', '[::1]', '[::ffff:127.0.0.1]']

/** What Chromium does not take for loopback, though it may lead there. */
const PERHAPS_LOOPBACK = ['0.0.0.0', '[::]', 'resolves-to-loopback.example']
const ELSEWHERE = ['site.example', '10.0.0.1', '[2001:db8::1]', 'tabport.invalid']

const CLOSED = 'PROXY 255.255.255.255:9'

describe.skipIf(cannotRun)(title('the scope'), () => {
  let electron: RemoteElectron
  let workspaces: Workspaces

  beforeAll(async () => {
    electron = await launchElectron()
  })

  beforeEach(async () => {
    workspaces = await startWorkspaces()
  })

  afterEach(async () => {
    await electron.evaluate(async ({ electron, state }) => {
      for (const window of electron.BrowserWindow.getAllWindows()) window.destroy()
      await state.tabport.stop()
    })
    await workspaces.close()
  })

  afterAll(() => electron?.close())

  /** Attaches a page to a proxy with this scope, and gives the proxy's port. */
  const attach = (scope?: string): Promise<number> =>
    electron.evaluate(
      async ({ createTabport, openPage, state }, { scope, route }) => {
        state.tabport = await createTabport({ scope, secure: false })
        state.page = openPage()
        await state.tabport.attach(state.page.webContents, { route })
        return state.tabport.port
      },
      { scope, route: workspaces.routes.one },
    )

  /** Where Chromium would send the requests to each of these hosts, for every kind of URL. */
  const waysTo = (hosts: string[]): Promise<Record<string, string[]>> =>
    electron.evaluate(
      async ({ state: { page } }, { hosts }) => {
        const ways: Record<string, string[]> = {}
        for (const host of hosts) {
          const all = ['http', 'https', 'ws', 'wss'].map((scheme) =>
            page.webContents.session.resolveProxy(`${scheme}://${host}/`),
          )
          ways[host] = Array.from(new Set(await Promise.all(all)))
        }
        return ways
      },
      { hosts },
    )

  const each = (hosts: string[], way: string) => Object.fromEntries(hosts.map((host) => [host, [way]]))

  test.each([undefined, 'all'])('%s is everything', async (scope) => {
    const proxied = `PROXY 127.0.0.1:${await attach(scope)}`
    const all = [...LOOPBACK, ...PERHAPS_LOOPBACK, ...ELSEWHERE]
    expect(await waysTo(all)).toEqual(each(all, proxied))
  })

  test('loopback is what Chromium knows to be loopback; the rest goes directly', async () => {
    const proxied = `PROXY 127.0.0.1:${await attach('loopback')}`
    expect(await waysTo(LOOPBACK)).toEqual(each(LOOPBACK, proxied))
    const rest = [...PERHAPS_LOOPBACK, ...ELSEWHERE]
    expect(await waysTo(rest)).toEqual(each(rest, 'DIRECT'))
  })

  test('loopback: a tab shows its workspace, and a WebSocket may be the first request', async () => {
    await attach('loopback')
    const seen = await electron.evaluate(
      async ({ greetingAt, textAt, state: { page } }, { url }) => {
        const greeting = await greetingAt(page, url)
        const text = await textAt(page, url)
        const fetched = await page.webContents.executeJavaScript("fetch('/api').then((answer) => answer.text())")
        return [greeting, text, fetched]
      },
      { url: workspaces.url },
    )

    expect(seen).toEqual(['hello from workspace-1', 'workspace-1', 'workspace-1 /api'])
    for (const server of workspaces.ownMachine) expect(server.connections()).toBe(0)
  })

  test('loopback: what goes elsewhere never reaches the proxy', async () => {
    await attach('loopback')
    const [code, requests] = await electron.evaluate(async ({ textAt, state: { page, tabport } }) => {
      const before = tabport.stats().total
      const code = await textAt(page, 'http://site.example/')
      return [code, tabport.stats().total.requests - before.requests]
    })
    // There is no DNS in these tests, so that a direct request ends there.
    expect([code, requests]).toEqual(['ERR_NAME_NOT_RESOLVED', 0])
  })

  describe.each(['all', 'loopback'])('%s: a session is closed to everything,', (scope) => {
    const all = [...LOOPBACK, ...PERHAPS_LOOPBACK, ...ELSEWHERE]

    test('when the proxy has stopped', async () => {
      await attach(scope)
      await electron.evaluate(({ state }) => state.tabport.stop())
      expect(await waysTo(all)).toEqual(each(all, CLOSED))
    })

    test('when its tab is gone', async () => {
      await attach(scope)
      await electron.evaluate(({ state }) => {
        const { session } = state.page.webContents
        state.page.destroy()
        state.page = { webContents: { session } }
      })
      const closed = async () => (await waysTo(['localhost'])).localhost?.[0] === CLOSED
      await until('the session to be closed', closed)
      expect(await waysTo(all)).toEqual(each(all, CLOSED))
    })

    test.each(['setProxy', 'resolveProxy'])('when a late %s fails', async (step) => {
      const outcome = await electron.evaluate(
        async ({ createTabport, openPage, outcomeOf, state }, { scope, route, step }) => {
          state.tabport = await createTabport({ scope })
          state.page = openPage()
          const { session } = state.page.webContents
          const original = session[step]
          // The first calls are those of the wide scope, and go well.
          let calls = 0
          session[step] = (...args: unknown[]) => {
            calls += 1
            const last = scope === 'all' ? 1 : step === 'setProxy' ? 2 : 5
            if (calls < last) return original.apply(session, args)
            session[step] = original
            return Promise.reject(new Error('out of order'))
          }
          return outcomeOf(state.tabport.attach(state.page.webContents, { route }))
        },
        { scope, route: workspaces.routes.one, step },
      )
      expect(outcome).toMatchObject({ code: 'ERR_TABPORT_WIRING', cause: 'out of order' })
      if (scope === 'loopback') expect(outcome.message).toContain('narrowing the scope')
      expect(await waysTo(all)).toEqual(each(all, CLOSED))
    })
  })

  test.each(['', 'none', null, 5, {}])('cannot be %j', async (scope) => {
    const outcome = await electron.evaluate(
      async ({ createTabport, outcomeOf, state }, { scope }) => {
        state.tabport = await createTabport()
        return outcomeOf(createTabport({ scope }))
      },
      { scope },
    )
    expect(outcome.code).toBe('ERR_TABPORT_INVALID_ARGUMENT')
    expect(outcome.message).toBe("options.scope must be 'all' or 'loopback'")
  })
})
