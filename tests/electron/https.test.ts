// https:// and wss:// on a tab's localhost: answered in the proxy, with certificates that only attached sessions accept.
import { describe, expect, test } from 'vitest'
import { Authority, type Leaf, nameOf } from '../support/authority.ts'
import { startTlsOrigin, text } from '../support/origin.ts'
import { previewTo } from '../support/proxy.ts'
import { cannotRun, title } from './harness/launch.ts'
import { useTab } from './harness/tab.ts'
import { startTlsServer } from './harness/tls-server.ts'

type Certified = { certificate: { fingerprint: string } }
type LoginArguments = [unknown, unknown, unknown, (username: string, password: string) => void]

const LISTENERS = [
  { name: 'a plain listener', secure: false },
  { name: 'a secure listener', secure: true },
]

describe.skipIf(cannotRun).each(LISTENERS)(title('https://localhost behind $name'), ({ secure }) => {
  const { electron, workspaces, attach } = useTab({ secure })

  /** Opens the workspace's page and evaluates an expression there. */
  const inPage = <Result>(script: string, host = 'localhost'): Promise<Result> =>
    electron.evaluate(
      async ({ state: { page } }, { url, script }) => {
        await page.loadURL(url)
        return page.webContents.executeJavaScript(script)
      },
      { url: `https://${host}:${workspaces.port}/`, script },
    )

  test.each(['localhost', 'localhost.', 'app.localhost', '127.0.0.1', '127.18.0.5', '[::1]'])(
    'a page at %s is that of the workspace, and a secure context',
    async (host) => {
      const seen = await inPage('[document.body.innerText, location.protocol, isSecureContext]', host)
      expect(seen).toEqual(['workspace-1', 'https:', true])
    },
  )

  test('a fetch, a WebSocket and an EventSource arrive there, too', async () => {
    const seen = await inPage(`Promise.all([
      fetch('/api').then((answer) => answer.text()),
      new Promise((resolve) => {
        const socket = new WebSocket('wss://' + location.host + '/ws')
        const texts = []
        socket.onopen = () => socket.send('over TLS')
        socket.onmessage = ({ data }) => texts.push(data) === 2 && resolve(texts)
        socket.onclose = ({ code }) => resolve('closed ' + code)
      }),
      new Promise((resolve) => {
        new EventSource('/events').onmessage = ({ data }) => resolve(data)
      }),
    ])`)
    expect(seen).toEqual(['workspace-1 /api', ['hello from workspace-1', 'workspace-1: over TLS'], 'workspace-1'])
  })

  test('an upstream may speak HTTP/2', async () => {
    const origin = await startTlsOrigin(text('over HTTP/2'), ['h2'])
    await attach({ secure, ...previewTo(origin.port, `${workspaces.port}-h2`) })
    const seen = await electron.evaluate(
      async ({ openPage, textAt, state: { tabport } }, { url, route }) => {
        const page = openPage()
        await tabport.attach(page.webContents, { route })
        return textAt(page, url)
      },
      { url: `https://localhost:${workspaces.port}/`, route: { upstream: 'https://{port}-h2.preview.test' } },
    )
    expect([seen, origin.seen[0]?.version]).toEqual(['over HTTP/2', '2.0'])
  })

  test('a WebSocket may be the first request', async () => {
    const greeting = await electron.evaluate(
      ({ greetingAt, state: { page } }, url) => greetingAt(page, url),
      `https://localhost:${workspaces.port}/`,
    )
    expect(greeting).toBe('hello from workspace-1')
  })

  test('a service worker is accepted, and its requests arrive', async () => {
    const text = await inPage(`(async () => {
      const controlled = new Promise((resolve) => { navigator.serviceWorker.oncontrollerchange = resolve })
      await navigator.serviceWorker.register('/worker.js')
      await controlled
      return (await fetch('/worked')).text()
    })()`)
    expect(text).toBe('the worker has workspace-1 /api')
  })

  test('what may be kept is kept in Chromium’s cache, and fetched once for two loads', async () => {
    const before = workspaces.one.requests().length
    const load = `new Promise((resolve, reject) => {
      const script = document.createElement('script')
      script.src = '/cacheable.js'
      script.onload = () => resolve(loaded)
      script.onerror = reject
      document.body.append(script)
    })`
    expect(await inPage(load)).toBe(true)
    expect(await inPage(load)).toBe(true)
    const requests = workspaces.one.requests().slice(before)
    expect(requests.filter((line) => line === 'GET /')).toHaveLength(2)
    expect(requests.filter((line) => line === 'GET /cacheable.js')).toHaveLength(1)
  })

  test('a session that is not attached accepts no certificate of ours', async () => {
    const before = workspaces.one.connections()
    const code = await electron.evaluate(
      async ({ electron, openPage, textAt, state: { tabport } }, { port, route, secure }) => {
        const { username, password } = tabport.server.createContext(1_000_000, route)
        const page = openPage()
        const { session } = page.webContents
        // All it lacks is the trust in what is inside the tunnel.
        const { fingerprint } = tabport.server.listenerCertificate() ?? {}
        if (secure) {
          session.setCertificateVerifyProc((request: Certified, callback: (answer: number) => void) =>
            callback(request.certificate.fingerprint === fingerprint ? 0 : -3),
          )
        }
        const proxyRules = `${secure ? 'https' : 'http'}://127.0.0.1:${tabport.port}`
        await session.setProxy({ proxyRules, proxyBypassRules: '<-loopback>' })
        const answer = (event: Event, ...[, , , callback]: LoginArguments) => {
          event.preventDefault()
          callback(username, password)
        }
        electron.app.on('login', answer)
        // Before Electron 11.4 the listener's may be refused without anybody being asked (electron/electron#28358).
        let seen = ''
        for (let attempt = 0; attempt < 3 && seen !== 'ERR_CERT_AUTHORITY_INVALID'; attempt += 1) {
          seen = await textAt(page, `https://localhost:${port}/`)
        }
        electron.app.off('login', answer)
        return seen
      },
      { port: workspaces.port, route: workspaces.routes.one, secure },
    )
    expect(code).toBe('ERR_CERT_AUTHORITY_INVALID')
    expect(workspaces.one.connections()).toBe(before)
  })

  describe('a forger', () => {
    /** What an attached tab without a route sees of a server on the user's own machine. */
    async function opened(leaf: Leaf, host = 'localhost'): Promise<{ text: string; requests: string[] }> {
      const server = await startTlsServer(leaf)
      const text = await electron.evaluate(
        async ({ openPage, textAt, state: { tabport } }, { url }) => {
          const page = openPage()
          await tabport.attach(page.webContents)
          return textAt(page, url)
        },
        { url: `https://${host}:${server.port}/` },
      )
      await server.close()
      return { text, requests: server.requests }
    }

    const authority = (): Promise<string> =>
      electron.evaluate(({ state }) => state.tabport.server.certificateAuthority().pem as string)

    test('of our issuer name is rejected', async () => {
      const name = nameOf(await authority())
      expect(name).toMatch(/^tabport [0-9a-f]{8}$/)
      const leaf = new Authority(name).leaf('localhost')
      expect(await opened(leaf)).toEqual({ text: 'ERR_CERT_AUTHORITY_INVALID', requests: [] })
    })

    test('that sends our authority along is rejected', async () => {
      const pem = await authority()
      const leaf = new Authority('forger').leaf('localhost', { issuer: nameOf(pem) })
      expect(await opened({ ...leaf, chain: leaf.cert + pem })).toEqual({
        text: 'ERR_CERT_AUTHORITY_INVALID',
        requests: [],
      })
    })
  })
})
