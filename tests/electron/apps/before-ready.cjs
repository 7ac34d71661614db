// Starts the proxy before the app is ready, and quits with a WebSocket open. Reports as lines of JSON.
const { app, BrowserWindow } = require('electron')

const { TABPORT_ROOT, WORKSPACE_URL, UPSTREAM } = process.env
const { createTabport } = require(`${TABPORT_ROOT}/dist/electron/index.cjs`)
const report = (values) => process.stdout.write(`${JSON.stringify(values)}\n`)

const readyAtStart = app.isReady()
const starting = createTabport()

app.whenReady().then(async () => {
  const window = new BrowserWindow({ show: false, webPreferences: { partition: 'quitting' } })
  const tabport = await starting
  await tabport.attach(window.webContents, { route: { upstream: UPSTREAM } })
  await window.loadURL(WORKSPACE_URL)
  const greeting = await window.webContents.executeJavaScript(`new Promise((resolve) => {
    window.socket = new WebSocket('${WORKSPACE_URL.replace('http', 'ws')}ws')
    socket.onmessage = ({ data }) => resolve(data)
  })`)
  report({ readyAtStart, greeting, port: tabport.port })

  app.on('quit', () => report({ contextsAfterWillQuit: tabport.stats().contexts }))
  app.quit()
})
