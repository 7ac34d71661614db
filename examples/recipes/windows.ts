// A tab in each of Electron's three ways to show a page.
import { type BaseWindow, BrowserView, BrowserWindow, WebContentsView } from 'electron'
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
  parent.once('closed', () => view.webContents.close())
  await tabport.attach(view.webContents, { route })
  await view.webContents.loadURL(url)
  return view
}

export async function openOldView({ tabport, workspace, route, url }: Opening, parent: BrowserWindow) {
  const partition = tabport.partitionFor(workspace)
  const view = new BrowserView({ webPreferences: { partition } })
  parent.setBrowserView(view)
  await tabport.attach(view.webContents, { route })
  await view.webContents.loadURL(url)
  return view
}
