import type { BrowserWindow } from 'electron'
import { presets } from 'tabport'
import type { Tabport } from 'tabport/electron'

declare const tabport: Tabport
declare const tab: BrowserWindow

const route = presets.codespaces({ name: 'octo-mld5' })

await tabport.attach(tab.webContents, { route: { ...route, local: ['localhost:5173'] } }) // 5173 is not routed
