// A tab in each of Electron's three ways to show a page.
import { type BaseWindow, BrowserView, BrowserWindow, type WebContents, WebContentsView } from 'electron'
import type { Route, Tabport } from 'tabport/electron'

interface Opening {
  tabport: Tabport
  /** Tabs of one workspace share a partition. */
  workspace: string
  route: Route
  url: string
}

export async function openWindow({ tabport, workspace, route, url }: Opening) {
  const partition = tabport.partitionFor(workspace)
  const window = new BrowserWindow({ webPreferences: { partition } })
  await tabport.attach(window.webContents, { route })
  await window.loadURL(url)
  return window
}

export async function openView({ tabport, workspace, route, url }: Opening, parent: BaseWindow) {
  const partition = tabport.partitionFor(workspace)
  const view = new WebContentsView({ webPreferences: { partition } })
  parent.contentView.addChildView(view)
  closeWith(parent, view.webContents)
  await tabport.attach(view.webContents, { route })
  await view.webContents.loadURL(url)
  return view
}

export function closeWith(parent: BaseWindow, webContents: WebContents) {
  // Before Electron had `close`, it was `destroy`, which the types do not know.
  const { close = webContents['destroy' as 'close'] } = webContents
  const onClosed = () => close.call(webContents)
  parent.once('closed', onClosed)
  webContents.once('destroyed', () => parent.removeListener('closed', onClosed))
}

export async function openOldView({ tabport, workspace, route, url }: Opening, parent: BrowserWindow) {
  const partition = tabport.partitionFor(workspace)
  const view = new BrowserView({ webPreferences: { partition } })
  parent.setBrowserView(view)
  closeWith(parent, view.webContents)
  await tabport.attach(view.webContents, { route })
  await view.webContents.loadURL(url)
  return view
}
