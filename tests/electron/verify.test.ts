// A session has one certificate handler: ours goes before the app's, and the app's keeps its say about everything else.
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Authority, nameOf } from '../support/authority.ts'
import { temporaryFolder } from '../support/https.ts'
import { cannotRun, launchElectron, type RemoteElectron, title } from './harness/launch.ts'
import { startTlsServer, type TlsServer } from './harness/tls-server.ts'
import { startWorkspaces, type Workspaces } from './harness/workspaces.ts'

/** How a tab sees a page: by its text, or by why it did not load. */
interface Seen {
  /** Of the workspace, by our certificate. */
  ours: string
  /** Of a server whose authority nobody knows. */
  others: string
  /** What the app's handler has been asked. */
  asked: string[]
}

describe.skipIf(cannotRun)(title('a certificate handler of the app'), () => {
  let electron: RemoteElectron
  let workspaces: Workspaces
  let server: TlsServer
  let to: { ours: string; others: string; route: { upstream: string; local: string[] } }

  beforeAll(async () => {
    const leaf = new Authority('of the app').leaf('localhost')
    ;[electron, workspaces, server] = await Promise.all([launchElectron(), startWorkspaces(), startTlsServer(leaf)])
    to = {
      ours: `https://localhost:${workspaces.port}/`,
      others: `https://localhost:${server.port}/`,
      route: { ...workspaces.routes.one, local: [`localhost:${server.port}`] },
    }
    await electron.evaluate(({ openPage, textAt, state }) => {
      state.openSession = () => {
        state.partition = `handled-${Math.random()}`
        state.asked = []
        return openPage(state.partition).webContents.session
      }
      // Each time another page: the error page of one may still be coming when the next is loaded.
      state.see = async ({ tabport, to }: { tabport: unknown; to: { ours: string; others: string } }) => {
        const at = async (url: string): Promise<string> => {
          const page = openPage(state.partition)
          await (tabport as typeof state.tabport)?.attach(page.webContents, { route: state.route })
          return textAt(page, url)
        }
        return { ours: await at(to.ours), others: await at(to.others), asked: state.asked }
      }
      state.handler =
        (answer: number, name = 'asked') =>
        (request: { hostname: string }, callback: (answer: number) => void) => {
          state.asked.push(`${name} about ${request.hostname}`)
          callback(answer)
        }
    })
  })

  afterEach(() =>
    electron.evaluate(async ({ electron, state }) => {
      for (const window of electron.BrowserWindow.getAllWindows()) window.destroy()
      await state.tabport.stop()
    }),
  )

  afterAll(async () => {
    await electron?.close()
    await workspaces?.close()
    await server?.close()
  })

  test('is not needed for ours, and nobody else is trusted', async () => {
    const seen = await electron.evaluate(async ({ createTabport, state }, to) => {
      state.tabport = await createTabport()
      state.route = to.route
      state.openSession()
      return state.see({ tabport: state.tabport, to }) as Seen
    }, to)
    expect(seen).toEqual({ ours: 'workspace-1', others: 'ERR_CERT_AUTHORITY_INVALID', asked: [] })
  })

  test('is asked about the rest when it was set before attach', async () => {
    const seen = await electron.evaluate(async ({ createTabport, state }, to) => {
      state.tabport = await createTabport()
      state.route = to.route
      state.openSession().setCertificateVerifyProc(state.handler(0))
      return state.see({ tabport: state.tabport, to }) as Seen
    }, to)
    expect(seen).toEqual({ ours: 'workspace-1', others: 'tls server', asked: ['asked about localhost'] })
  })

  test('is asked about the rest when it was set after attach, and the last one counts', async () => {
    const seen = await electron.evaluate(async ({ createTabport, openPage, state }, to) => {
      state.tabport = await createTabport()
      state.route = to.route
      const session = state.openSession()
      await state.tabport.attach(openPage(state.partition).webContents, { route: to.route })
      const seen: Seen[] = []
      for (const handler of [state.handler(0, 'first'), state.handler(-2, 'second'), null]) {
        session.setCertificateVerifyProc(handler)
        seen.push(await state.see({ tabport: state.tabport, to }))
        state.asked = []
      }
      return seen
    }, to)
    expect(seen).toEqual([
      { ours: 'workspace-1', others: 'tls server', asked: ['first about localhost'] },
      { ours: 'workspace-1', others: 'ERR_FAILED', asked: ['second about localhost'] },
      { ours: 'workspace-1', others: 'ERR_CERT_AUTHORITY_INVALID', asked: [] },
    ])
  })

  test('cannot forbid ours', async () => {
    const seen = await electron.evaluate(async ({ createTabport, state }, to) => {
      state.tabport = await createTabport()
      state.route = to.route
      state.openSession().setCertificateVerifyProc(state.handler(-2))
      return state.see({ tabport: state.tabport, to }) as Seen
    }, to)
    expect(seen).toEqual({ ours: 'workspace-1', others: 'ERR_FAILED', asked: ['asked about localhost'] })
  })

  test('of a time before createTabport is named in an option', async () => {
    const [given, replaced] = await electron.evaluate(async ({ createTabport, state }, to) => {
      state.tabport = await createTabport({ certificateVerifyProc: state.handler(0, 'option') })
      state.route = to.route
      const session = state.openSession()
      const given = await state.see({ tabport: state.tabport, to })
      state.asked = []
      session.setCertificateVerifyProc(state.handler(-3, 'own'))
      return [given, await state.see({ tabport: state.tabport, to })] as Seen[]
    }, to)
    expect(given).toEqual({ ours: 'workspace-1', others: 'tls server', asked: ['option about localhost'] })
    expect(replaced).toEqual({
      ours: 'workspace-1',
      others: 'ERR_CERT_AUTHORITY_INVALID',
      asked: ['own about localhost'],
    })
  })

  test('has the session to itself after detach', async () => {
    const seen = await electron.evaluate(async ({ createTabport, openPage, textAt, state }, to) => {
      state.tabport = await createTabport()
      const session = state.openSession()
      session.setCertificateVerifyProc(state.handler(0, 'before'))
      const tab = await state.tabport.attach(openPage(state.partition).webContents, { route: to.route })
      await tab.detach()
      const texts = [await textAt(openPage(state.partition), to.others), ...state.asked.splice(0)]
      session.setCertificateVerifyProc(state.handler(-3, 'after'))
      texts.push(await textAt(openPage(state.partition), to.others), ...state.asked)
      return texts
    }, to)
    expect(seen).toEqual([
      'tls server',
      'before about localhost',
      'ERR_CERT_AUTHORITY_INVALID',
      'after about localhost',
    ])
  })

  test('finds nothing of ours accepted after detach, not even what our authority has signed', async () => {
    const directory = temporaryFolder()
    const pem = await electron.evaluate(async ({ createTabport, state }, directory) => {
      state.tabport = await createTabport({ certificates: { directory } })
      return state.tabport.server.certificateAuthority().pem as string
    }, directory)
    const key = createPrivateKey(readFileSync(join(directory, 'authority.pem')))
    const signed = await startTlsServer(new Authority(nameOf(pem), key).leaf('localhost'))
    const texts = await electron.evaluate(
      async ({ openPage, textAt, state }, { port, upstream }) => {
        // Each in a session of its own: Chromium remembers what a handler has said of a certificate.
        const [attached, detached] = [openPage(), openPage()]
        const route = { upstream, local: [`localhost:${port}`] }
        await state.tabport.attach(attached.webContents, { route })
        await (await state.tabport.attach(detached.webContents, { route })).detach()
        const url = `https://localhost:${port}/`
        return [await textAt(attached, url), await textAt(detached, url)]
      },
      { port: signed.port, upstream: to.route.upstream },
    )
    await signed.close()
    expect(texts).toEqual(['tls server', 'ERR_CERT_AUTHORITY_INVALID'])
  })

  test('that is none is refused by Electron as ever, and changes nothing', async () => {
    const [codes, seen] = await electron.evaluate(async ({ createTabport, openPage, state }, to) => {
      state.tabport = await createTabport()
      state.route = to.route
      const session = state.openSession()
      const nameOf = (run: () => void): string => {
        try {
          run()
          return 'nothing'
        } catch (error) {
          return (error as Error).name
        }
      }
      const codes = [nameOf(() => session.setCertificateVerifyProc('none'))]
      session.setCertificateVerifyProc(state.handler(0))
      await state.tabport.attach(openPage(state.partition).webContents, { route: to.route })
      codes.push(nameOf(() => session.setCertificateVerifyProc(5)))
      return [codes, await state.see({ tabport: state.tabport, to })] as [string[], Seen]
    }, to)
    expect(codes).not.toContain('nothing')
    expect(seen).toEqual({ ours: 'workspace-1', others: 'tls server', asked: ['asked about localhost'] })
  })

  test.each(['handler', null, {}])('cannot be the option %j', async (certificateVerifyProc) => {
    const outcome = await electron.evaluate(
      async ({ createTabport, outcomeOf, state }, { certificateVerifyProc }) => {
        state.tabport = await createTabport()
        return outcomeOf(createTabport({ certificateVerifyProc }))
      },
      { certificateVerifyProc },
    )
    expect(outcome).toMatchObject({
      code: 'ERR_TABPORT_INVALID_ARGUMENT',
      message: 'options.certificateVerifyProc must be a function',
    })
  })
})
