// An app as it is shipped: a tab with a route, and a process of its own that has a proxy, too. Prints what each saw.
const { app, BrowserWindow } = require('electron')
const { fork } = require('child_process')
const path = require('path')
const { createTabport } = require('tabport/electron')
const { loadedAddons } = require('./loaded.cjs')

const upstream = 'http://127.0.0.1:{port}'
const url = `http://localhost:${process.env.ORIGIN_PORT}/`

async function tab() {
  const tabport = await createTabport()
  const partition = tabport.partitionFor('packed')
  const window = new BrowserWindow({ show: false, webPreferences: { partition, contextIsolation: true } })
  await tabport.attach(window.webContents, { route: { upstream } })
  await window.loadURL(url)
  const text = await window.webContents.executeJavaScript('document.body.innerText')
  window.destroy()
  await tabport.stop()
  return { process: 'main', text, addons: loadedAddons(), inArchive: __filename.includes('app.asar') }
}

/** Electron has a forked process run as Node, and read archives. */
function helper() {
  return new Promise((resolve, reject) => {
    const child = fork(path.join(__dirname, 'helper.cjs'), [], { stdio: 'inherit' })
    child.once('message', resolve)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the helper ended with ${code} and said nothing`)))
  })
}

app
  .whenReady()
  .then(async () => {
    for (const part of [tab, helper]) console.log(JSON.stringify(await part()))
    app.exit(0)
  })
  .catch((error) => {
    console.error(error)
    app.exit(1)
  })
app.on('window-all-closed', () => {})
