// The same tab, in another workspace.
import type { WebContents } from 'electron'
import type { Route, Tab, Tabport } from 'tabport/electron'

export async function moveTab(tabport: Tabport, webContents: WebContents, tab: Tab, route: Route, url: string) {
  await webContents.loadURL('about:blank') // From `detach` on, localhost is the user's own machine.
  await tab.detach()
  await webContents.session.clearStorageData() // What the first workspace has left: cookies, service workers, databases.
  await webContents.session.clearCache()
  const moved = await tabport.attach(webContents, { route })
  await webContents.loadURL(url)
  return moved
}
