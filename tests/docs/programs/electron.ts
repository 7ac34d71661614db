import { app, BrowserWindow } from 'electron'
import { createTabport } from 'tabport/electron'

const tabport = await createTabport()
await app.whenReady()

const tab = new BrowserWindow({ webPreferences: { partition: tabport.partitionFor('workspace-a') } })
await tabport.attach(tab.webContents, { route: { upstream: 'https://{port}-abc.preview.example' } })
await tab.loadURL('http://localhost:3000') // shows https://3000-abc.preview.example
