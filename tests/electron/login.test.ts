import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cannotRun, launchElectron, type RemoteElectron, title } from './harness/launch.ts'
import { startWorkspaces, type Workspaces } from './harness/workspaces.ts'

describe.skipIf(cannotRun)(title('credentials'), () => {
  let electron: RemoteElectron
  let workspaces: Workspaces
  let port: number

  beforeAll(async () => {
    ;[electron, workspaces] = await Promise.all([launchElectron(), startWorkspaces()])
    port = await electron.evaluate(
      async ({ createTabport, openPage, state }, { route }) => {
        state.tabport = await createTabport({ secure: false })
        state.page = openPage()
        state.tab = await state.tabport.attach(state.page.webContents, { route })
        return state.tabport.port
      },
      { route: workspaces.routes.one },
    )
  })

  afterAll(async () => {
    await electron?.close()
    await workspaces?.close()
  })

  /** Raises a `login` event as Electron would, and tells whether anybody answered it. */
  function isAnswered(challenge: {
    authInfo?: object
    details?: object
    from?: 'attached' | 'other' | 'nobody'
    alreadyAnswered?: boolean
  }): Promise<boolean> {
    const authInfo = {
      isProxy: true,
      scheme: 'basic',
      host: '127.0.0.1',
      port,
      realm: 'tabport',
      ...challenge.authInfo,
    }
    const details = { url: 'http://localhost/', firstAuthAttempt: true, ...challenge.details }
    return electron.evaluate(
      ({ electron, openPage, state }, { authInfo, details, from, alreadyAnswered }) => {
        const event = {
          defaultPrevented: alreadyAnswered,
          preventDefault() {
            event.defaultPrevented = true
          },
        }
        let credentials: unknown
        const page = from === 'other' ? openPage() : state.page
        const webContents = from === 'nobody' ? undefined : page.webContents
        electron.app.emit('login', event, webContents, details, authInfo, (...given: unknown[]) => {
          credentials = given
        })
        return credentials !== undefined && event.defaultPrevented
      },
      { authInfo, details, from: challenge.from ?? 'attached', alreadyAnswered: challenge.alreadyAnswered ?? false },
    )
  }

  test('are given to our own challenge', async () => {
    expect(await isAnswered({})).toBe(true)
  })

  test.each([
    ['a server', { authInfo: { isProxy: false } }],
    ['another host', { authInfo: { host: 'proxy.example' } }],
    ['another port', { authInfo: { port: 1 } }],
    ['another realm', { authInfo: { realm: 'corporate proxy' } }],
    ['a session that was never attached', { from: 'other' as const }],
    ['a request without a WebContents', { from: 'nobody' as const }],
    ['a request that has had them refused', { details: { firstAuthAttempt: false } }],
    ['a request that another handler has answered', { alreadyAnswered: true }],
  ])('are not given to %s', async (_, challenge) => {
    expect(await isAnswered(challenge)).toBe(false)
  })

  test('are given a few times only where Electron does not say whether they were refused', async () => {
    const answers = []
    for (let attempt = 0; attempt < 5; attempt++) {
      const details = { url: 'http://localhost/again', firstAuthAttempt: undefined }
      answers.push(await isAnswered({ details }))
    }
    expect(answers).toEqual([true, true, true, false, false])
  })

  test('never reach another proxy that the session is sent to', async () => {
    const stranger = await challengingProxy()
    const seen = await electron.evaluate(
      async ({ openPage, textAt, state: { tabport } }, { url, route, port }) => {
        const page = openPage()
        await tabport.attach(page.webContents, { route })
        const rules = { proxyRules: `http://127.0.0.1:${port}`, proxyBypassRules: '<-loopback>' }
        await page.webContents.session.setProxy(rules)
        return textAt(page, `${url}?stranger`)
      },
      { url: workspaces.url, route: workspaces.routes.one, port: stranger.port },
    )

    expect(seen).toBe('who are you?')
    expect(stranger.credentials).toEqual([])
    stranger.server.close()
  })

  test('that are refused do not go round in a loop', async () => {
    const seen = await electron.evaluate(
      async ({ electron, openPage, textAt, state: { tabport } }, { url, route }) => {
        const page = openPage()
        const tab = await tabport.attach(page.webContents, { route })
        let challenges = 0
        electron.app.on('login', () => {
          challenges += 1
        })
        tabport.server.releaseContext(tab.contextId)
        await page.webContents.session.clearAuthCache({ type: 'password' })
        await textAt(page, url)
        return challenges
      },
      { url: `${workspaces.url}?refused`, route: workspaces.routes.two },
    )

    expect(seen).toBeGreaterThan(0)
    expect(seen).toBeLessThanOrEqual(2)
    expect(workspaces.two.requests()).toEqual([])
  })

  test('are given again after the app has cleared them', async () => {
    const text = await electron.evaluate(
      async ({ textAt, state }, { url }) => {
        await state.page.webContents.session.clearAuthCache({ type: 'password' })
        return textAt(state.page, url)
      },
      { url: workspaces.url },
    )
    expect(text).toBe('workspace-1')
  })

  describe('are needed for anything to be dialled:', () => {
    const refused = /^HTTP\/1\.1 407 .*proxy-authenticate: Basic realm="tabport"/is

    test.each([
      ['a request', (to: string) => `GET http://${to}/ HTTP/1.1\r\nHost: ${to}\r\n\r\n`],
      ['a CONNECT', (to: string) => `CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`],
      [
        'an upgrade',
        (to: string) =>
          `GET http://${to}/ws HTTP/1.1\r\nHost: ${to}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
      ],
      [
        'a guess',
        (to: string) => `GET http://${to}/ HTTP/1.1\r\nHost: ${to}\r\nProxy-Authorization: Basic d2MtMS0wOnB3\r\n\r\n`,
      ],
    ])('%s without them is answered 407', async (_, head) => {
      const before = workspaces.all.map((server) => server.connections())
      for (const server of workspaces.all) {
        expect(await answerTo(port, head(`${hostOf(server.address)}:${workspaces.port}`))).toMatch(refused)
      }
      expect(workspaces.all.map((server) => server.connections())).toEqual(before)
    })

    test('a page in a session that only has the proxy set sees the 407, and nobody sees the page', async () => {
      const before = workspaces.all.map((server) => server.connections())
      const text = await electron.evaluate(
        async ({ openPage, textAt }, { url, port }) => {
          const page = openPage()
          const rules = { proxyRules: `http://127.0.0.1:${port}`, proxyBypassRules: '<-loopback>' }
          await page.webContents.session.setProxy(rules)
          return textAt(page, url)
        },
        { url: workspaces.url, port },
      )

      expect(String(text)).not.toMatch(/workspace|own-machine/)
      expect(workspaces.all.map((server) => server.connections())).toEqual(before)
    })
  })
})

const hostOf = (address: string): string => (address.includes(':') ? `[${address}]` : address)

/** Sends a request head and gives what comes back up to the end of the answer's head. */
function answerTo(port: number, head: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(head))
    socket.setEncoding('utf8')
    socket.on('data', (text) => {
      answer += text
      if (answer.includes('\r\n\r\n')) socket.destroy()
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}

/** A proxy that uses our realm on a port that is not ours, and keeps the credentials that it is given. */
async function challengingProxy(): Promise<{ server: Server; port: number; credentials: string[] }> {
  const credentials: string[] = []
  const server = createServer((request, response) => {
    const given = request.headers['proxy-authorization']
    if (given) credentials.push(given)
    response.writeHead(407, { 'proxy-authenticate': 'Basic realm="tabport"' })
    response.end('who are you?')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, port: (server.address() as AddressInfo).port, credentials }
}
