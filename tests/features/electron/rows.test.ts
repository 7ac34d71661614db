// The rows about the wiring for Electron, and what its users complain about: one Electron for all of them.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { cannotRun, launchElectron, type RemoteElectron, title } from '../../electron/harness/launch.ts'
import { startTlsServer } from '../../electron/harness/tls-server.ts'
import { until } from '../../electron/harness/until.ts'
import { startWorkspaces, type Workspaces } from '../../electron/harness/workspaces.ts'
import { Authority, nameOf } from '../../support/authority.ts'

describe.skipIf(cannotRun)(title('in Electron'), () => {
  let electron: RemoteElectron
  let workspaces: Workspaces
  let to: { url: string; port: number; proxyPort: number; routes: Workspaces['routes'] }

  beforeAll(async () => {
    ;[electron, workspaces] = await Promise.all([launchElectron(), startWorkspaces()])
    const proxyPort = await electron.evaluate(async ({ createTabport, state }) => {
      state.tabport = await createTabport({ secure: false })
      return state.tabport.port
    })
    to = { url: workspaces.url, port: workspaces.port, proxyPort, routes: workspaces.routes }
  })

  afterEach(async () => {
    await electron.evaluate(({ electron }) => {
      for (const window of electron.BrowserWindow.getAllWindows()) window.destroy()
    })
    const contexts = () => electron.evaluate(({ state }) => state.tabport.stats().contexts)
    await until('the contexts of closed windows to end', async () => (await contexts()) === 0)
  })

  afterAll(async () => {
    await electron?.close()
    await workspaces?.close()
  })

  let before = 0
  const connections = (): number => workspaces.ownMachine.reduce((sum, server) => sum + server.connections(), 0)
  /** Connections that the user's own machine has accepted in this test. */
  const ownMachine = (): number => connections() - before

  beforeEach(() => {
    before = connections()
  })

  test('row 44, login handler checks host, port, realm: only our challenge is answered, and not again', async () => {
    const answered = await electron.evaluate(async ({ electron, openPage, state }, { proxyPort, routes }) => {
      const page = openPage()
      await state.tabport.attach(page.webContents, { route: routes.one })
      const ours = { isProxy: true, scheme: 'basic', host: '127.0.0.1', port: proxyPort, realm: 'tabport' }
      const isAnswered = (other: object, webContents: unknown, firstAuthAttempt: unknown): boolean => {
        const event = { defaultPrevented: false, preventDefault: () => (event.defaultPrevented = true) }
        let given = false
        const details = { url: 'http://localhost/', firstAuthAttempt }
        electron.app.emit('login', event, webContents, details, { ...ours, ...other }, () => {
          given = true
        })
        return given && event.defaultPrevented
      }
      const { webContents } = page
      const others = [{ isProxy: false }, { host: 'proxy.test' }, { port: 1 }, { realm: 'corporate' }]
      return {
        ours: isAnswered({}, webContents, true),
        others: others.map((other) => isAnswered(other, webContents, true)),
        nobodyOfOurs: [openPage().webContents, null, undefined].map((other) => isAnswered({}, other, true)),
        refusedBefore: isAnswered({}, webContents, false),
        // Where Electron does not say whether they were refused before.
        again: Array.from({ length: 5 }, () => isAnswered({}, webContents, undefined)),
      }
    }, to)

    expect(answered).toEqual({
      ours: true,
      others: [false, false, false, false],
      nobodyOfOurs: [false, false, false],
      refusedBefore: false,
      again: [true, true, true, false, false],
    })
  })

  test('row 45, session refcount before direct mode: of two views of one partition the other stays proxied', async () => {
    const seen = await electron.evaluate(async ({ openPage, textAt, state: { tabport } }, { url, routes }) => {
      const pages = [openPage('one partition'), openPage('one partition')]
      const attach = (page: (typeof pages)[0]) => tabport.attach(page.webContents, { route: routes.one })
      const [first] = await Promise.all(pages.map(attach))
      await first.detach()
      pages[0].destroy()
      return [await textAt(pages[1], url), tabport.stats().contexts]
    }, to)

    expect(seen).toEqual(['workspace-1', 1])
    expect(ownMachine()).toBe(0)
  })

  test('row 46, fail-closed when proxy unavailable: an error, and no page of the own machine', async () => {
    const seen = await electron.evaluate(
      async ({ openPage, outcomeOf, textAt, state: { tabport } }, { url, routes }) => {
        const failed = openPage()
        const { session } = failed.webContents
        const { setProxy } = session
        session.setProxy = () => {
          session.setProxy = setProxy
          return Promise.reject(new Error('out of order'))
        }
        const { code } = await outcomeOf(tabport.attach(failed.webContents, { route: routes.one }))
        const refused = openPage()
        const invalid = await outcomeOf(tabport.attach(refused.webContents, { route: { upstream: 'no URL' } }))
        const texts = [await textAt(failed, url), await textAt(refused, url)]
        return { codes: [code, invalid.code], texts: texts.filter((text) => /own-machine|workspace/.test(text)) }
      },
      to,
    )

    expect(seen).toEqual({ codes: ['ERR_TABPORT_WIRING', 'ERR_TABPORT_INVALID_ROUTE'], texts: [] })
    expect(ownMachine()).toBe(0)
  })

  test('row 47, cert trust by key, loopback + partition only: a forged issuer name is rejected', async () => {
    const pem = await electron.evaluate(({ state: { tabport } }) => tabport.server.certificateAuthority().pem as string)
    // Its own authority has our name, and it sends ours along.
    const forged = new Authority(nameOf(pem)).leaf('localhost')
    const forger = await startTlsServer({ ...forged, chain: forged.cert + pem })
    const seen = await electron.evaluate(
      async ({ openPage, textAt, state: { tabport } }, { port, forgedPort, routes }) => {
        const attached = async (route?: object): Promise<{ webContents: { session: object } }> => {
          const page = openPage()
          await tabport.attach(page.webContents, { route })
          return page
        }
        return {
          ours: await textAt(await attached(routes.one), `https://localhost:${port}/`),
          forged: await textAt(await attached(), `https://localhost:${forgedPort}/`),
          forgedInRoute: await textAt(
            await attached({ ...routes.one, local: [`localhost:${forgedPort}`] }),
            `https://localhost:${forgedPort}/`,
          ),
        }
      },
      { ...to, forgedPort: forger.port },
    )
    await forger.close()

    expect(seen).toEqual({
      ours: 'workspace-1',
      forged: 'ERR_CERT_AUTHORITY_INVALID',
      forgedInRoute: 'ERR_CERT_AUTHORITY_INVALID',
    })
    expect(forger.requests).toEqual([])
    expect(ownMachine()).toBe(0)
  })

  test('complaint electron/electron#9897, #22442, #34810: a WebSocket may be the first request of a session', async () => {
    const greeting = await electron.evaluate(async ({ greetingAt, openPage, state: { tabport } }, { url, routes }) => {
      const page = openPage()
      await tabport.attach(page.webContents, { route: routes.two })
      return greetingAt(page, url)
    }, to)

    expect(greeting).toBe('hello from workspace-2')
  })

  test('complaint electron/electron#14555, #14589, #21269: credentials in proxyRules do nothing, ours need none', async () => {
    const counts = () => workspaces.all.map((server) => server.connections())
    const untouched = counts()
    const seen = await electron.evaluate(
      async ({ openPage, textAt, state: { tabport } }, { url, proxyPort, routes }) => {
        const { username, password, id } = tabport.server.createContext(1_000_000, routes.one)
        const page = openPage()
        const proxyRules = `http://${username}:${password}@127.0.0.1:${proxyPort}`
        await page.webContents.session.setProxy({ proxyRules, proxyBypassRules: '<-loopback>' })
        const text = await textAt(page, url)
        tabport.server.releaseContext(id)
        return text
      },
      to,
    )

    expect(String(seen)).not.toMatch(/workspace|own-machine/)
    expect(counts()).toEqual(untouched)
    const attached = await electron.evaluate(async ({ openPage, textAt, state: { tabport } }, { url, routes }) => {
      const page = openPage()
      await tabport.attach(page.webContents, { route: routes.one })
      return textAt(page, url)
    }, to)
    expect(attached).toBe('workspace-1')
  })

  test('complaint electron/electron#22373, #30080, #21050: loopback is not bypassed, by pages or by the net module', async () => {
    const seen = await electron.evaluate(
      async ({ electron, openPage, textAt, state: { tabport } }, { port, routes }) => {
        const page = openPage()
        const { session } = page.webContents
        await tabport.attach(page.webContents, { route: routes.two })
        const hosts = ['localhost', '127.0.0.1', '[::1]', 'app.localhost']
        const resolved = new Set<string>()
        const texts = []
        for (const host of hosts) {
          for (const scheme of ['http', 'https', 'ws', 'wss']) {
            resolved.add(await session.resolveProxy(`${scheme}://${host}:${port}/`))
          }
          texts.push(await textAt(page, `http://${host}:${port}/`))
        }
        const fromNet = await new Promise((resolve, reject) => {
          const request = electron.net.request({ url: `http://localhost:${port}/net`, session })
          request.on('error', reject)
          request.on('response', (response: NodeJS.ReadableStream) => {
            let body = ''
            response.on('data', (data) => (body += data)).on('end', () => resolve(body))
          })
          request.end()
        })
        return { resolved: [...resolved], texts, fromNet }
      },
      to,
    )

    expect(seen).toEqual({
      resolved: [`PROXY 127.0.0.1:${to.proxyPort}`],
      texts: Array(4).fill('workspace-2'),
      fromNet: 'workspace-2 /net',
    })
    expect(ownMachine()).toBe(0)
  })

  test('complaint electron/electron#22373: what `<-loopback>` is for, and what a session without it does', async () => {
    const text = await electron.evaluate(async ({ openPage, textAt }, { url, proxyPort }) => {
      const page = openPage()
      await page.webContents.session.setProxy({ proxyRules: `http://127.0.0.1:${proxyPort}` })
      return textAt(page, url)
    }, to)

    expect(text).toBe('own-machine')
    expect(ownMachine()).toBeGreaterThan(0)
  })
})
