/** The only way between the window's own page and the main process. */
import { contextBridge, ipcRenderer } from 'electron'

contextBridge.exposeInMainWorld('demo', {
  act: (action: unknown) => ipcRenderer.send('action', action),
  onState: (show: (state: unknown) => void) => {
    ipcRenderer.on('state', (_, state) => show(state))
  },
})
