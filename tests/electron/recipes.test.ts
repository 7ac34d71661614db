// What the documents show for Electron, run in one. An open window of any kind must show its
// workspace, and the user's own machine must be asked for nothing.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Gateway } from '../support/gateway.ts'
import { cannotRun, launchElectron, type RemoteElectron, title } from './harness/launch.ts'
import { installPrograms } from './harness/programs.ts'
import { until } from './harness/until.ts'
import { startWorkspaces, type Workspaces } from './harness/workspaces.ts'

describe.skipIf(cannotRun)(title('recipes'), () => {
  let electron: RemoteElectron
  let workspaces: Workspaces
  let programs: ReturnType<typeof installPrograms>
  let downloads: string
  let asked: number[]

  const onOwnMachine = () => workspaces.ownMachine.map((server) => server.connections())

  beforeAll(async () => {
    programs = installPrograms('examples/recipes')
    downloads = mkdtempSync(path.join(tmpdir(), 'tabport-downloads-'))
    workspaces = await startWorkspaces()
    electron = await launchElectron()
    await electron.evaluate(({ state }, folder) => {
      state.recipe = (name: string) => process.mainModule!.require(`${folder}/${name}.cjs`)
      state.until = async (probe: () => unknown) => {
        for (let tries = 0; tries < 500; tries++) {
          const found = probe()
          if (found) return found
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
        throw new Error('waited in vain')
      }
      state.textOf = (webContents: Electron.WebContents) => webContents.executeJavaScript('document.body.innerText')
    }, programs.folder)
  })

  beforeEach(async () => {
    asked = onOwnMachine()
    await electron.evaluate(async ({ createTabport, state }) => {
      state.tabport = await createTabport()
    })
  })

  afterEach(async () => {
    await electron.evaluate(async ({ electron, state }) => {
      for (const window of electron.BrowserWindow.getAllWindows()) window.destroy()
      await state.tabport.stop()
    })
    expect(onOwnMachine()).toEqual(asked)
  })

  afterAll(async () => {
    await electron?.close()
    await workspaces?.close()
    programs?.remove()
    if (downloads) rmSync(downloads, { recursive: true })
  })

  const startGateway = async () => {
    const gateway = await Gateway.launch()
    return { gateway, port: workspaces.port, route: { cmuxProxyOrigin: gateway.origin(), workspace: 'workspace-1' } }
  }

  const world = () => ({ url: workspaces.url, routes: workspaces.routes, port: workspaces.port, downloads })

  test.each(['electron', 'main'])('the first program of the documents: %s', async (name) => {
    const { folder, remove } = installPrograms('tests/docs/programs', (text) =>
      text
        .replace('https://{port}-abc.preview.example', workspaces.routes.one.upstream)
        .replace('3000', `${workspaces.port}`)
        .replace('workspace-a', `documents-${name}`),
    )
    onTestFinished(remove)
    const text = await electron.evaluate(
      async ({ electron, state }, { file, url }) => {
        process.mainModule!.require(file)
        const { webContents } = await state.until(() =>
          electron.BrowserWindow.getAllWindows().find(
            ({ webContents }: Electron.BrowserWindow) => webContents.getURL() === url,
          ),
        )
        return state.textOf(webContents)
      },
      { file: `${folder}/${name}.cjs`, url: workspaces.url },
    )
    expect(text).toBe('workspace-1')
  })

  test('ports that stay on the machine, as the documents list them', async () => {
    const { folder, remove } = installPrograms('tests/docs/programs')
    onTestFinished(remove)
    const contexts = await electron.evaluate(async ({ openPage, state }, file) => {
      Object.assign(globalThis, { tabport: state.tabport, tab: openPage('documents-local') })
      await process.mainModule!.require(file).done
      return state.tabport.stats().contexts
    }, `${folder}/electron-local.cjs`)
    expect(contexts).toBe(1)
  })

  test('a window and a view', async () => {
    const texts = await electron.evaluate(async ({ state }, { url, routes }) => {
      const { openWindow, openOldView } = state.recipe('windows')
      const window = await openWindow({ tabport: state.tabport, workspace: 'one', route: routes.one, url })
      const view = await openOldView({ tabport: state.tabport, workspace: 'two', route: routes.two, url }, window)
      const texts = [await state.textOf(window.webContents), await state.textOf(view.webContents)]
      view.webContents.destroy()
      return texts
    }, world())
    expect(texts).toEqual(['workspace-1', 'workspace-2'])
  })

  test('a view ends with its window, and leaves nothing there where it ends before', async () => {
    const seen = await electron.evaluate(async ({ electron, state }, { url, routes }) => {
      const { tabport } = state
      const window = new electron.BrowserWindow({ show: false })
      const before = window.listenerCount('closed')
      const open = async (name: string) => {
        const opening = { tabport, workspace: `view ${name}`, route: routes.one, url }
        return state.recipe('windows').openOldView(opening, window)
      }
      // Kept, because a view that nobody has is destroyed with the rest of the garbage.
      const views = [await open('one'), await open('two')]
      views[0].webContents.destroy()
      await state.until(() => tabport.stats().contexts === 1)
      const left = window.listenerCount('closed') - before
      window.destroy()
      await state.until(() => tabport.stats().contexts === 0)
      return { left, views: views.length }
    }, world())
    expect(seen).toEqual({ left: 1, views: 2 })
  })

  test('tabs of one partition are one context, with one set of cookies, until the last has gone', async () => {
    const seen = await electron.evaluate(async ({ state }, { url, routes }) => {
      const { tabport } = state
      const { openWindow } = state.recipe('windows')
      const open = async (name: string) => {
        const window = await openWindow({ tabport, workspace: name, route: routes.one, url })
        return { window, tab: await tabport.attach(window.webContents, { route: routes.one }) }
      }
      const [first, second, other] = [await open('shared'), await open('shared'), await open('own')]
      await first!.window.webContents.executeJavaScript('document.cookie = "seen=1"')
      const cookies = await Promise.all(
        [second!, other!].map(({ window }) => window.webContents.executeJavaScript('document.cookie')),
      )
      const sharing = [second!, other!].map(({ tab }) => tab.contextId === first!.tab.contextId)
      first!.window.destroy()
      const api = await second!.window.webContents.executeJavaScript('fetch("/api").then((answer) => answer.text())')
      return { sharing, cookies, api, contexts: tabport.stats().contexts }
    }, world())
    expect(seen).toEqual({ sharing: [true, false], cookies: ['seen=1', ''], api: 'workspace-1 /api', contexts: 2 })
  })

  test('a tab moves to another route, and finds nothing of the first there', async () => {
    const seen = await electron.evaluate(async ({ state }, { url, routes }) => {
      const { webContents } = await state
        .recipe('windows')
        .openWindow({ tabport: state.tabport, workspace: 'moving', route: routes.one, url })
      await webContents.executeJavaScript('document.cookie = "workspace=1"')
      const tab = await state.tabport.attach(webContents, { route: routes.one })
      await state.recipe('move').moveTab(state.tabport, webContents, tab, routes.two, url)
      return [await state.textOf(webContents), await webContents.executeJavaScript('document.cookie')]
    }, world())
    expect(seen).toEqual(['workspace-2', ''])
  })

  test('frames and popups are in the workspace, and a popup stays there when its opener is detached', async () => {
    const seen = await electron.evaluate(async ({ electron, state }, { url, routes }) => {
      const window = await state
        .recipe('windows')
        .openWindow({ tabport: state.tabport, workspace: 'opener', route: routes.one, url })
      const { session } = window.webContents
      const others = electron.app.listeners('web-contents-created')
      state.recipe('popups').attachWhatPagesOpen(state.tabport, new WeakMap([[session, routes.one]]))
      const frame = await window.webContents.executeJavaScript(`new Promise((resolve) => {
        const frame = document.createElement('iframe')
        frame.onload = () => resolve(frame.contentDocument.body.innerText)
        frame.src = '/'
        document.body.append(frame)
      })`)
      await window.webContents.executeJavaScript('void window.open("/api")', true)
      const popup: Electron.BrowserWindow = await state.until(() =>
        electron.BrowserWindow.getAllWindows().find(({ webContents }: Electron.BrowserWindow) =>
          webContents.getURL().endsWith('/api'),
        ),
      )
      const text = await state.textOf(popup.webContents)
      await (await state.tabport.attach(window.webContents, { route: routes.one })).detach()
      const answer = await popup.webContents.executeJavaScript('fetch("/api").then((answer) => answer.text())')
      for (const listener of electron.app.listeners('web-contents-created')) {
        if (!others.includes(listener)) electron.app.removeListener('web-contents-created', listener as () => void)
      }
      return [frame, text, answer]
    }, world())
    expect(seen).toEqual(['workspace-1', 'workspace-1 /api', 'workspace-1 /api'])
  })

  test('a link that is opened with Ctrl stays in the workspace, and a webview is refused', async () => {
    const seen = await electron.evaluate(async ({ electron, openPage, state }, { url, routes }) => {
      const { webContents } = openPage('kept', { webviewTag: true })
      state.recipe('popups').keepInSession(webContents)
      await state.tabport.attach(webContents, { route: routes.one })
      await webContents.loadURL(url)
      await webContents.executeJavaScript(
        `const link = document.createElement('a')
        link.href = '/api'
        document.body.append(link)
        void link.dispatchEvent(new MouseEvent('click', { ctrlKey: true }))`,
        true,
      )
      const opened: Electron.BrowserWindow = await state.until(() =>
        electron.BrowserWindow.getAllWindows().find(({ webContents }: Electron.BrowserWindow) =>
          webContents.getURL().endsWith('/api'),
        ),
      )
      const isRefused = new Promise((resolve) =>
        webContents.once('will-attach-webview', (event: Event) => resolve(event.defaultPrevented)),
      )
      await webContents.executeJavaScript(`const view = document.createElement('webview')
        view.src = location
        void document.body.append(view)`)
      return { text: await state.textOf(opened.webContents), isRefused: await isRefused }
    }, world())
    expect(seen).toEqual({ text: 'workspace-1 /api', isRefused: true })
  })

  test('DevTools name the proxy as the address of what is asked for, and are not a tab', async () => {
    const seen = await electron.evaluate(async ({ state }, { url, routes }) => {
      const { webContents } = await state
        .recipe('windows')
        .openWindow({ tabport: state.tabport, workspace: 'tools', route: routes.one, url })
      const opened = new Promise<void>((resolve) => webContents.once('devtools-opened', () => resolve()))
      webContents.openDevTools()
      await opened
      const { contexts } = state.tabport.stats()
      webContents.closeDevTools()
      const { debugger: tools } = webContents
      tools.attach()
      await tools.sendCommand('Network.enable')
      const received = new Promise<{ remoteIPAddress: string; remotePort: number }>((resolve) =>
        tools.on('message', (_event: unknown, method: string, { response }: never) => {
          if (method === 'Network.responseReceived') resolve(response)
        }),
      )
      await webContents.executeJavaScript('fetch("/api").then((answer) => answer.text())')
      const { remoteIPAddress, remotePort } = await received
      return { contexts, address: `${remoteIPAddress}:${remotePort}`, proxy: `127.0.0.1:${state.tabport.port}` }
    }, world())
    expect(seen).toEqual({ contexts: 1, address: seen.proxy, proxy: seen.proxy })
  })

  // Electron 9 has once not started a worker, in dozens of runs: it is given a second chance.
  test('a service worker’s requests take the route, on http too', { retry: 1, timeout: 30_000 }, async () => {
    const text = await electron.evaluate(async ({ state }, { url, routes }) => {
      const { webContents } = await state
        .recipe('windows')
        .openWindow({ tabport: state.tabport, workspace: 'worker', route: routes.one, url })
      return webContents.executeJavaScript(`(async () => {
        const controlled = new Promise((resolve) => { navigator.serviceWorker.oncontrollerchange = resolve })
        await navigator.serviceWorker.register('/worker.js')
        if (!navigator.serviceWorker.controller) await controlled
        return (await fetch('/worked')).text()
      })()`)
    }, world())
    expect(text).toBe('the worker has workspace-1 /api')
  })

  test('a download is the workspace’s', async () => {
    const file = await electron.evaluate(async ({ state }, { url, routes, downloads }) => {
      const { webContents } = await state
        .recipe('windows')
        .openWindow({ tabport: state.tabport, workspace: 'downloads', route: routes.one, url })
      const saved = new Promise<string>((resolve) =>
        state.recipe('downloads').saveDownloads(webContents.session, downloads, resolve),
      )
      webContents.downloadURL(`${url}file.txt`)
      return saved
    }, world())
    expect(readFileSync(file, 'utf8')).toBe('workspace-1 /file.txt')
  })

  test('the options of createTabport are taken, and failures are told', async () => {
    const { reports, failures } = await electron.evaluate(async ({ state, textAt }, { url }) => {
      const start = state.recipe('start')
      const reports: string[] = []
      const failures: [string, number][] = []
      const all = [
        await start.behindTheSystemsProxy(),
        await start.forLoopbackOnly(),
        await start.withPinnedCertificates(new Set()),
        await start.withReports((line: string) => reports.push(line)),
      ]
      const window = await state
        .recipe('windows')
        .openWindow({ tabport: all[3], workspace: 'failing', route: { upstream: 'http://127.18.0.7:{port}' }, url })
      state
        .recipe('failures')
        .watchFailures(window.webContents, (...failure: [string, number]) => failures.push(failure))
      await textAt(window, url)
      for (const tabport of all) await tabport.stop()
      return { reports, failures }
    }, world())
    expect(failures).toEqual([[workspaces.url, 502]])
    const authority = new URL(workspaces.url).host
    expect(reports).toContain(`${authority}: connection_refused, the upstream refused the connection`)
  })

  test.each(['http', 'https'])('a program that the app starts has the localhost of a workspace: %s', async (scheme) => {
    const { port, routes } = workspaces
    const text = await electron.evaluate(
      async ({ state }, { route, url, root }) => {
        const { ProxyServer } = process.mainModule!.require(root)
        const server = await ProxyServer.listen()
        const args = ['-s', '--insecure', url]
        const curl = state.recipe('child').startIn(server.createContext(1, route), server, 'curl', args)
        let text = ''
        curl.stdout.on('data', (part: string) => (text += part))
        await new Promise((resolve) => curl.once('close', resolve))
        const { contexts } = server.stats()
        await server.stop()
        return `${text}, ${contexts} contexts`
      },
      { route: routes.one, url: `${scheme}://localhost:${port}/api`, root: process.env.TABPORT_ROOT ?? process.cwd() },
    )
    expect(text).toBe('workspace-1 /api, 0 contexts')
  })

  test('what Chromium says of a refused tunnel, of a port that it does not open, and of a closed session', async () => {
    const codes = await electron.evaluate(async ({ openPage, state, textAt }, { url, routes, port }) => {
      const codes = []
      for (const refused of [`https://127.18.0.9:${port}/`, 'http://localhost:1/']) {
        const direct = openPage()
        await state.tabport.attach(direct.webContents)
        codes.push(await textAt(direct, refused))
      }
      const window = await state
        .recipe('windows')
        .openWindow({ tabport: state.tabport, workspace: 'closed', route: routes.one, url })
      await state.tabport.stop()
      return [...codes, await textAt(window, url)]
    }, world())
    expect(codes).toEqual(['ERR_TUNNEL_CONNECTION_FAILED', 'ERR_UNSAFE_PORT', 'ERR_PROXY_CONNECTION_FAILED'])
  })

  test.each([
    ['node', false],
    ['tabport', false],
    ['tabport', true],
  ])('a migration: the proxy is %s, and the wiring is attach: %j', async (name, attached) => {
    const { folder, remove } = installPrograms('examples/migration')
    onTestFinished(remove)
    const { port, route, gateway } = await startGateway()
    onTestFinished(() => gateway.close().then(() => {}))
    const seen = await electron.evaluate(
      async ({ electron, state, greetingAt }, { folder, name, attached, port, route }) => {
        const load = (file: string) => process.mainModule!.require(`${folder}/${file}.cjs`)
        const { openTab, startTabport } = load('tab')
        const failed: string[] = []
        const report = ({ code }: { code: string }) => failed.push(code)
        const previewProxy = load('preview-proxy').createPreviewProxy(() => name, report)
        const tabport = await startTabport(attached, report)
        const partition = `persist:cmux-preview-${name}-${attached}`
        const window = new electron.BrowserWindow({
          show: false,
          webPreferences: { partition, contextIsolation: true },
        })
        const url = `http://localhost:${port}/`
        await openTab(window, url, route, { tabport, previewProxy })
        const text = await state.textOf(window.webContents)
        const greeting = await greetingAt(window, url)
        window.destroy()
        await Promise.all([previewProxy.stop(), tabport ? tabport.stop() : undefined])
        return { text, greeting, failed }
      },
      { folder, name, attached, port, route },
    )
    expect(seen).toEqual({ text: 'workspace-1', greeting: 'hello from workspace-1', failed: [] })
  })

  test('nothing is left', async () => {
    await until('no socket', () => workspaces.all.every((server) => server.sockets() === 0))
  })
})
