// The proxy over TLS: `createTabport({ secure: true })`. Electron 9 has to do with HTTP/1.1 there.
import { describe, expect, test } from 'vitest'
import { Authority } from '../support/authority.ts'
import { cannotRun, title } from './harness/launch.ts'
import { useTab } from './harness/tab.ts'
import { startTlsServer } from './harness/tls-server.ts'

describe.skipIf(cannotRun)(title('a secure listener'), () => {
  const { electron, workspaces, attach } = useTab({ secure: true })

  /** Where Chromium would send a request, with the proxy's port left out. */
  const wayTo = (url: string): Promise<string> =>
    electron.evaluate(
      async ({ state: { page, tabport } }, { url }) => {
        const way = await page.webContents.session.resolveProxy(url)
        return way.replace(`:${tabport.port}`, '')
      },
      { url },
    )

  /** What a WebSocket of the tab hears first, which may be the tab's first request. */
  const greeting = (): Promise<string> =>
    electron.evaluate(({ greetingAt, state: { page } }, url) => greetingAt(page, url), workspaces.url)

  test('is where everything goes', async () => {
    expect(await Promise.all(['http', 'https', 'ws', 'wss'].map((scheme) => wayTo(`${scheme}://localhost/`)))).toEqual(
      Array(4).fill('HTTPS 127.0.0.1'),
    )
  })

  test('has a page, a fetch and a WebSocket arrive', async () => {
    const seen = await electron.evaluate(
      async ({ textAt, state: { page } }, { url }) => {
        const text = await textAt(page, url)
        const rest = await page.webContents.executeJavaScript(`Promise.all([
          fetch('/api').then((answer) => answer.text()),
          new Promise((resolve) => {
            const socket = new WebSocket('ws://' + location.host + '/ws')
            const texts = []
            socket.onopen = () => socket.send('in clear')
            socket.onmessage = ({ data }) => texts.push(data) === 2 && resolve(texts)
            socket.onclose = ({ code }) => resolve('closed ' + code)
          }),
        ])`)
        return [text, ...rest]
      },
      { url: workspaces.url },
    )
    expect(seen).toEqual(['workspace-1', 'workspace-1 /api', ['hello from workspace-1', 'workspace-1: in clear']])
  })

  test('has a WebSocket arrive that is the first request', async () => {
    expect(await greeting()).toBe('hello from workspace-1')
  })

  test('asks for credentials again when the app has cleared them, and is answered', async () => {
    const [text, challenges] = await electron.evaluate(
      async ({ electron, textAt, state: { page, tabport } }, { url }) => {
        const challenges: object[] = []
        const note = (...[, , , authInfo]: [unknown, unknown, unknown, { host: string; port: number }]) => {
          challenges.push({ host: authInfo.host, ours: authInfo.port === tabport.port })
        }
        electron.app.on('login', note)
        await page.webContents.session.clearAuthCache({ type: 'password' })
        const text = await textAt(page, url)
        electron.app.removeListener('login', note)
        return [text, challenges] as const
      },
      { url: workspaces.url },
    )
    expect([text, challenges]).toEqual(['workspace-1', [{ host: '127.0.0.1', ours: true }]])
  })

  test('takes only what is in scope', async () => {
    await attach({ secure: true, scope: 'loopback' })
    expect(await Promise.all([wayTo('https://localhost/'), wayTo('https://site.example/')])).toEqual([
      'HTTPS 127.0.0.1',
      'DIRECT',
    ])
  })

  test('is not trusted in another session', async () => {
    const code = await electron.evaluate(
      async ({ openPage, textAt, state: { tabport } }, { url }) => {
        const page = openPage()
        const proxyRules = `https://127.0.0.1:${tabport.port}`
        await page.webContents.session.setProxy({ proxyRules, proxyBypassRules: '<-loopback>' })
        return textAt(page, url)
      },
      { url: workspaces.url },
    )
    expect(code).toBe('ERR_PROXY_CERTIFICATE_INVALID')
  })

  test('cannot be replaced by another, with the same names and addresses', async () => {
    const impostor = await startTlsServer(new Authority('impostor').leaf('127.0.0.1'))
    const code = await electron.evaluate(
      async ({ textAt, state: { page } }, { url, port }) => {
        const proxyRules = `https://127.0.0.1:${port}`
        await page.webContents.session.setProxy({ proxyRules, proxyBypassRules: '<-loopback>' })
        return textAt(page, url)
      },
      { url: workspaces.url, port: impostor.port },
    )
    await impostor.close()
    expect([code, impostor.requests]).toEqual(['ERR_PROXY_CERTIFICATE_INVALID', []])
  })

  test('that has stopped leaves its session closed', async () => {
    await electron.evaluate(({ state }) => state.tabport.stop())
    expect(await wayTo('https://localhost/')).toBe('PROXY 255.255.255.255:9')
  })

  test.each([
    [{ secure: false }, 'PROXY 127.0.0.1'],
    [{ secure: true, http2: true }, 'HTTPS 127.0.0.1'],
    [{ secure: true, http2: false }, 'HTTPS 127.0.0.1'],
    [{ secure: true, host: '0.0.0.0', allowNonLoopback: true }, 'HTTPS 127.0.0.1'],
  ])('with %j is %s, and lets a WebSocket through', async (options, way) => {
    await attach(options)
    expect(await wayTo('http://localhost/')).toBe(way)
    expect(await greeting()).toBe('hello from workspace-1')
  })

  test('is asked again where Chromium has refused it without asking us, and not for ever', async () => {
    const [outcomes, requests] = await electron.evaluate(
      async ({ electron, openPage, outcomeOf, state: { tabport } }, { route }) => {
        const { net } = electron
        const { request } = net
        const requests: number[] = []
        /** Attaches a page while the first requests fail. */
        const attachedDespite = async (failures: number, reason: string) => {
          let count = 0
          net.request = (options: object) => {
            const sent = request.call(net, options)
            count += 1
            if (count <= failures) setImmediate(() => sent.emit('error', new Error(reason)))
            return sent
          }
          const { code } = await outcomeOf(tabport.attach(openPage().webContents, { route }))
          net.request = request
          requests.push(count)
          return code
        }
        const refused = 'net::ERR_PROXY_CERTIFICATE_INVALID'
        const outcomes = [
          await attachedDespite(2, refused),
          await attachedDespite(3, refused),
          await attachedDespite(1, 'net::ERR_FAILED'),
        ]
        return [outcomes, requests] as const
      },
      { route: workspaces.routes.one },
    )
    expect(outcomes).toEqual(['fulfilled', 'ERR_TABPORT_WIRING', 'ERR_TABPORT_WIRING'])
    expect(requests).toEqual([3, 3, 1])
  })

  test('is the default where Chromium opens ws: through an HTTP/2 proxy', async () => {
    await attach({})
    const chromium = await electron.evaluate(() => Number.parseInt(process.versions.chrome!, 10))
    expect(await wayTo('http://localhost/')).toBe(chromium >= 114 ? 'HTTPS 127.0.0.1' : 'PROXY 127.0.0.1')
  })

  test.each(['yes', 1, null].flatMap((value) => [['secure', value] as const, ['http2', value] as const]))(
    'cannot be had by %s: %j',
    async (name, value) => {
      const outcome = await electron.evaluate(
        async ({ createTabport, outcomeOf }, options) => outcomeOf(createTabport(options)),
        { [name]: value },
      )
      expect(outcome).toMatchObject({
        code: 'ERR_TABPORT_INVALID_ARGUMENT',
        message: expect.stringContaining(`options.${name} must be a boolean`),
      })
    },
  )
})
