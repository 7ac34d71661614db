/** The window: a frame of plain HTML that says where the pages go, and the two pages, attached to the proxy. */
import { join } from 'node:path'
import { BrowserWindow, ipcMain, type Rectangle, screen } from 'electron'
import type { Route, Tabport } from '../index'
import type { DevServer } from './dev-server'
import type { Gateway } from './gateway'
import type { Counts, Traffic } from './traffic'
import { addView, type PageView } from './view'
import { ONLY_ADDRESS, type Workspaces } from './workspaces'

const SIZE = { width: 1360, height: 860 }
const SMALLEST = { minWidth: 560, minHeight: 420 }

/** Wide enough for two pages beside each other. */
const SPLIT_FROM = 1000

/** What the frame may ask for. `areas` holds a rectangle for each tab, or null for one that is hidden. */
type Action =
  | { type: 'select'; tab: number }
  | { type: 'navigate'; url: string }
  | { type: 'reload' }
  | { type: 'toggle-split' }
  | { type: 'areas'; areas: Array<Rectangle | null> }

interface TabState {
  title: string
  url: string
  failure: string
  workspace: string
  theme: string
  leadsTo: string
  way: string
  traffic: Counts
}

export interface DemoTab {
  readonly workspace: DevServer
  readonly view: PageView
  /** What its route leads through, if anything. */
  readonly gateway: Gateway | undefined
  failure: string
}

export interface DemoWindow {
  readonly frame: BrowserWindow
  readonly tabs: DemoTab[]
  trafficOf(tab: DemoTab): Counts
  /** The rectangle of a tab's page inside the window, or null while it is hidden. */
  areaOf(tab: DemoTab): Rectangle | null
}

export async function openWindow(
  workspaces: Workspaces,
  gateway: Gateway,
  tabport: Tabport,
  traffic: Traffic,
): Promise<DemoWindow> {
  const frame = openFrame()
  const tabs = workspaces.all.map((workspace, index) => ({
    workspace,
    gateway: index === 1 ? gateway : undefined,
    view: addView(frame, tabport.partitionFor(workspace.name)),
    failure: '',
  }))
  const window = new TabbedWindow(frame, tabs, traffic)
  await frame.loadFile(join(__dirname, 'ui', 'window', 'index.html'))
  await Promise.all(
    tabs.map(async (tab) => {
      await tabport.attach(tab.view.webContents, { route: routeOf(tab) })
      await tab.view.webContents.loadURL(workspaces.url)
    }),
  )
  return window
}

/** The gateway has the workspace's address from its name, where the system has that address. */
function routeOf({ workspace: { name, address, port }, gateway }: DemoTab): Route {
  if (!gateway) return { upstream: `http://${address}:${port}` }
  const { origin: cmuxProxyOrigin, token: cmuxProxyToken } = gateway
  return { cmuxProxyOrigin, cmuxProxyToken, workspace: address === ONLY_ADDRESS ? undefined : name }
}

function openFrame(): BrowserWindow {
  const { workAreaSize } = screen.getPrimaryDisplay()
  return new BrowserWindow({
    ...SMALLEST,
    width: Math.min(SIZE.width, workAreaSize.width),
    height: Math.min(SIZE.height, workAreaSize.height),
    title: 'tabport',
    backgroundColor: '#16181d',
    autoHideMenuBar: true,
    webPreferences: { preload: join(__dirname, 'preload.cjs'), contextIsolation: true, sandbox: true },
  })
}

class TabbedWindow implements DemoWindow {
  private active = 0
  private split: boolean
  private areas: Array<Rectangle | null> = []
  private showing: NodeJS.Immediate | undefined

  constructor(
    readonly frame: BrowserWindow,
    readonly tabs: DemoTab[],
    private readonly traffic: Traffic,
  ) {
    this.split = frame.getContentBounds().width >= SPLIT_FROM
    ipcMain.on('action', (event, action: Action) => {
      if (event.sender === frame.webContents) this.act(action)
    })
    for (const tab of tabs) this.follow(tab)
    traffic.onChange = () => this.show()
    frame.webContents.on('did-finish-load', () => this.show())
    frame.on('closed', () => {
      traffic.onChange = () => {}
    })
  }

  trafficOf({ view }: DemoTab): Counts {
    return this.traffic.of(view.webContents.id)
  }

  areaOf(tab: DemoTab): Rectangle | null {
    return this.areas[this.tabs.indexOf(tab)] ?? null
  }

  private act(action: Action): void {
    const { webContents } = this.tabs[this.active]!.view
    if (action.type === 'select') this.active = action.tab
    if (action.type === 'toggle-split') this.split = !this.split
    if (action.type === 'reload') webContents.reload()
    if (action.type === 'areas') this.place(action.areas)
    // A page that does not load says so through did-fail-load.
    if (action.type === 'navigate') webContents.loadURL(withScheme(action.url)).catch(() => {})
    this.show()
  }

  private place(areas: Array<Rectangle | null>): void {
    this.areas = areas
    this.tabs.forEach(({ view }, index) => {
      const area = areas[index]
      view.setVisible(Boolean(area))
      if (area) view.setBounds(area)
    })
  }

  private follow(tab: DemoTab): void {
    const { webContents } = tab.view
    webContents.on('did-start-navigation', (_event, _url, _isInPlace, isMainFrame) => {
      if (isMainFrame) tab.failure = ''
      this.show()
    })
    webContents.on('did-fail-load', (_event, _code, description, _url, isMainFrame) => {
      if (isMainFrame) tab.failure = description
      this.show()
    })
    webContents.on('page-title-updated', () => this.show())
    webContents.on('did-navigate', () => this.show())
    webContents.on('focus', () => this.act({ type: 'select', tab: this.tabs.indexOf(tab) }))
  }

  /** Tells the frame what to show; many changes in one turn of the event loop are one message. */
  private show(): void {
    this.showing ??= setImmediate(() => {
      this.showing = undefined
      if (this.frame.isDestroyed()) return
      const tabs = this.tabs.map((tab) => this.stateOf(tab))
      this.frame.webContents.send('state', { tabs, active: this.active, split: this.split })
    })
  }

  private stateOf(tab: DemoTab): TabState {
    const { workspace, view, gateway, failure } = tab
    return {
      title: view.webContents.getTitle(),
      url: view.webContents.getURL().replace(/\/$/, ''),
      failure,
      workspace: workspace.name,
      theme: workspace.theme,
      leadsTo: `${workspace.address}:${workspace.port}`,
      way: gateway ? 'through cmux-proxy' : 'by its route',
      traffic: this.trafficOf(tab),
    }
  }
}

const withScheme = (text: string): string => (/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`)
