// Windows that a page opens have its session, and so its route, for as long as something of that session is attached.
import { app, type Session } from 'electron'
import type { Route, Tabport } from 'tabport/electron'

/** Attaches whatever is opened in a session that the app has put into the map. */
export function attachWhatPagesOpen(tabport: Tabport, routes: WeakMap<Session, Route>): void {
  app.on('web-contents-created', (_event, webContents) => {
    const route = routes.get(webContents.session)
    if (route) tabport.attach(webContents, { route }).catch((error) => console.error(error.code, error.message))
  })
}
