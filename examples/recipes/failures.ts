// Tells the app that a tab shows the error page: for its own list of tabs, not in place of the page.
import type { WebContents } from 'electron'

export function watchFailures(webContents: WebContents, failed: (url: string, status: number) => void): void {
  webContents.on('did-navigate', (_event, url, status) => {
    if (status >= 500) failed(url, status)
  })
}
