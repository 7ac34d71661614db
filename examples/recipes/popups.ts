// Windows that a page opens have its session, and so its route, for as long as something of that session is attached.
import { app, type Session, type WebContents } from 'electron'
import type { Route, Tabport } from 'tabport/electron'

/** Attaches whatever is opened in a session that the app has put into the map. */
export function attachWhatPagesOpen(tabport: Tabport, routes: WeakMap<Session, Route>): void {
  app.on('web-contents-created', (_event, webContents) => {
    const route = routes.get(webContents.session)
    if (!route) return
    keepInSession(webContents)
    tabport.attach(webContents, { route }).catch((error) => console.error(error.code, error.message))
  })
}

/** Has windows by any kind of click in the tab's session (Electron 9 knows no other), and lets the page have no webview. */
export function keepInSession(webContents: WebContents): void {
  const overrideBrowserWindowOptions = { webPreferences: { session: webContents.session } }
  webContents.setWindowOpenHandler?.(() => ({ action: 'allow', overrideBrowserWindowOptions }))
  webContents.on('will-attach-webview', (event) => event.preventDefault())
}
