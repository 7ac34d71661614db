// The demo in an Electron: two windows, attached as any app attaches its own. It is told what to show by its parent.
import { app, BrowserWindow } from 'electron'
import { createTabport } from '../../electron/index'
import type { World } from './worlds'

interface Told {
  url: string
  worlds: World[]
  /** Whether to say what is shown and end, rather than wait for the user. */
  once: boolean
}

async function main(): Promise<void> {
  const { url, worlds, once }: Told = JSON.parse(process.env.TABPORT_DEMO ?? '')
  const tabport = await createTabport({ partitionPrefix: 'demo-' })
  await app.whenReady()
  for (const [index, { name, route }] of worlds.entries()) {
    const webPreferences = { partition: tabport.partitionFor(name) }
    const window = new BrowserWindow({
      x: 20 + index * 580,
      y: 60,
      width: 560,
      height: 420,
      show: !once,
      webPreferences,
    })
    await tabport.attach(window.webContents, { route })
    await window.loadURL(url)
    const title = await window.webContents.executeJavaScript('document.querySelector("h1").textContent')
    console.log(JSON.stringify({ title, url: window.webContents.getURL() }))
  }
  if (once) app.quit()
}

main().catch((error) => {
  console.error(error)
  app.exit(1)
})
