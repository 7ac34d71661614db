import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cannotRun, launchElectron, type RemoteElectron, root, runApp, title } from './harness/launch.ts'
import { startWorkspaces, type Workspaces } from './harness/workspaces.ts'

describe.skipIf(cannotRun)(title('tabport in an Electron app'), () => {
  let workspaces: Workspaces

  beforeAll(async () => {
    workspaces = await startWorkspaces()
  })

  afterAll(() => workspaces?.close())

  test('loads the addon by its own loader', async () => {
    const script = `const { ProxyServer } = require(${JSON.stringify(root)})
      ProxyServer.start('127.0.0.1:0', true).then(async (server) => {
        console.log(JSON.stringify({ port: server.port(), node: process.versions.node }))
        await server.stop()
      })`
    const asNode = { env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' } }
    const { stdout } = await promisify(execFile)(process.env.TABPORT_ELECTRON!, ['-e', script], asNode)

    expect(JSON.parse(stdout).port).toBeGreaterThan(0)
  })

  test('starts before the app is ready, and stops by itself when the app quits', async () => {
    const { code, reports, stderr } = await runApp('before-ready.cjs', {
      WORKSPACE_URL: workspaces.url,
      UPSTREAM: workspaces.routes.one.upstream,
    })

    const [started, stopped] = reports as Array<{ port: number }>
    expect(started, stderr).toMatchObject({ readyAtStart: false, greeting: 'hello from workspace-1' })
    expect(stopped).toEqual({ contextsAfterWillQuit: 0 })
    expect(code).toBe(0)
    await expect(dial(started!.port)).rejects.toThrow('ECONNREFUSED')
  })

  describe('once it runs', () => {
    let electron: RemoteElectron

    beforeAll(async () => {
      electron = await launchElectron()
    })

    afterAll(() => electron?.close())

    test('names partitions by their key', async () => {
      const partitions = await electron.evaluate(async ({ createTabport, partitionFor }) => {
        const tabport = await createTabport({ partitionPrefix: 'my-' })
        await tabport.stop()
        return [tabport.partitionFor('a'), partitionFor('a'), partitionFor('b')]
      })

      expect(partitions).toEqual([
        'my-ca978112ca1bbdcafac231b3',
        'persist:tabport-ca978112ca1bbdcafac231b3',
        'persist:tabport-3e23e8160039594a33894f65',
      ])
    })

    test('prefers its own ports, and moves on from one that is taken', async () => {
      const ports = await electron.evaluate(async ({ createTabport }) => {
        const [first, second] = [await createTabport(), await createTabport()]
        const ports = [first.port, second.port]
        await Promise.all([first.stop(), second.stop(), second.stop()])
        return ports
      })

      expect(ports[0]).toBeGreaterThanOrEqual(39385)
      expect(ports[1]).toBeGreaterThan(ports[0]!)
      expect(ports[1]).toBeLessThan(39385 + 50)
    })

    test('sends Chromium to the address it listens on, not to the name `localhost`', async () => {
      const proxy = await electron.evaluate(async ({ createTabport, openPage }) => {
        const tabport = await createTabport({ host: 'localhost', secure: false })
        const { webContents } = openPage()
        await tabport.attach(webContents)
        const proxy = await webContents.session.resolveProxy('http://localhost/')
        await tabport.stop()
        return proxy.replace(tabport.port, 'PORT')
      })

      expect(proxy).toBe('PROXY 127.0.0.1:PORT')
    })

    test('stops when the signal aborts, and does not start when it has', async () => {
      const seen = await electron.evaluate(async ({ createTabport, openPage, outcomeOf }) => {
        const listeners = new Set<() => void>()
        const signal = {
          aborted: false,
          reason: undefined as unknown,
          addEventListener: (_: string, listener: () => void) => listeners.add(listener),
          removeEventListener: (_: string, listener: () => void) => listeners.delete(listener),
        }
        const tabport = await createTabport({ signal })
        signal.aborted = true
        signal.reason = 'enough'
        for (const listener of listeners) listener()
        const { code } = await outcomeOf(tabport.attach(openPage().webContents))
        const again = await createTabport({ signal }).catch((reason: unknown) => reason)
        return { code, again, listeners: listeners.size }
      })

      expect(seen).toEqual({ code: 'ERR_TABPORT_STOPPED', again: 'enough', listeners: 0 })
    })

    test.each([
      ['options', null],
      ['options.partitionPrefix', { partitionPrefix: 1 }],
      ['options.signal', { signal: {} }],
    ])('says that %s is not what it should be', async (name, options) => {
      const error = await electron.evaluate(
        ({ createTabport, outcomeOf }, options) => outcomeOf(createTabport(options)),
        options,
      )

      expect(error.code).toBe('ERR_TABPORT_INVALID_ARGUMENT')
      expect(error.message).toContain(`${name} must be`)
    })

    test('hands on the events of the proxy, by WebContents', async () => {
      const events = await electron.evaluate(
        async ({ createTabport, openPage }, { url, upstream }) => {
          const events: Array<{ type: string; webContentsId: number; path: string }> = []
          const tabport = await createTabport({ onEvent: (event: (typeof events)[0]) => events.push(event) })
          const page = openPage()
          await tabport.attach(page.webContents, { route: { upstream } })
          await page.loadURL(`${url}?secret`)
          const isPage = (event: (typeof events)[0]) =>
            event.type === 'request' && event.path === '/' && event.webContentsId === page.webContents.id
          const deadline = Date.now() + 5_000
          while (!events.some(isPage) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
          await tabport.stop()
          return { page: events.some(isPage), secret: JSON.stringify(events).includes('secret') }
        },
        { url: workspaces.url, upstream: workspaces.routes.two.upstream },
      )

      expect(events).toEqual({ page: true, secret: false })
    })
  })
})

function dial(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', resolve)
    socket.on('error', reject).on('connect', () => socket.destroy())
  })
}
