// @ts-check
const { app, BrowserWindow } = require('electron')
const { createTabport } = require('tabport/electron')

app.whenReady().then(async () => {
  const tabport = await createTabport()
  const tab = new BrowserWindow({ webPreferences: { partition: tabport.partitionFor('workspace-a') } })
  await tabport.attach(tab.webContents, { route: { upstream: 'https://{port}-abc.preview.example' } })
  await tab.loadURL('http://localhost:3000')
})
