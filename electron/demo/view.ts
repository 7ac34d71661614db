/** A page inside the window: a `WebContentsView` where Electron has it (30 and later), else a `BrowserView`. */
import * as electron from 'electron'

/** Older versions carry an unfinished class of the same name, so its presence says nothing. */
const HAS_VIEWS = Number.parseInt(process.versions.electron, 10) >= 30

export interface PageView {
  readonly webContents: electron.WebContents
  setBounds(bounds: electron.Rectangle): void
  setVisible(visible: boolean): void
}

export function addView(window: electron.BrowserWindow, partition: string): PageView {
  const webPreferences = { partition, contextIsolation: true, sandbox: true }
  return HAS_VIEWS ? addWebContentsView(window, webPreferences) : addBrowserView(window, webPreferences)
}

function addWebContentsView(window: electron.BrowserWindow, webPreferences: electron.WebPreferences): PageView {
  const view = new electron.WebContentsView({ webPreferences })
  window.contentView.addChildView(view)
  return view
}

function addBrowserView(window: electron.BrowserWindow, webPreferences: electron.WebPreferences): PageView {
  const view = new electron.BrowserView({ webPreferences })
  window.addBrowserView(view)
  return {
    webContents: view.webContents,
    setBounds: (bounds) => view.setBounds(bounds),
    setVisible: (visible) => (visible ? window.addBrowserView(view) : window.removeBrowserView(view)),
  }
}
