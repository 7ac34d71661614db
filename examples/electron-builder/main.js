// A window whose localhost is a workspace's: where its names lead is in UPSTREAM.
const { app, BrowserWindow } = require('electron')
const { createTabport } = require('tabport/electron')

const upstream = process.env.UPSTREAM || 'http://127.18.0.1:{port}'
const url = process.env.URL || 'http://localhost:3000/'

async function main() {
  const tabport = await createTabport()
  await app.whenReady()
  const window = new BrowserWindow({ webPreferences: { partition: tabport.partitionFor('workspace') } })
  await tabport.attach(window.webContents, { route: { upstream } })
  await window.loadURL(url)
}

main().catch((error) => {
  console.error(error)
  app.exit(1)
})
