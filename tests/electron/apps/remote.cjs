// An Electron app without a will of its own: runs the functions a test sends it, in the main process.
const { app } = require('electron')
const { createInterface } = require('readline')
const { connect } = require('net')
const electron = require('electron')

const { TABPORT_ROOT, TABPORT_CONTROL_PORT } = process.env
const tabport = require(`${TABPORT_ROOT}/dist/electron/index.cjs`)

// Windows come and go in these tests; the app ends when the test says so.
app.on('window-all-closed', () => {})

/** Opens a hidden window; it gets a partition of its own unless one is named. */
function openPage(partition = `page-${Math.random()}`, others = {}) {
  const webPreferences = { partition, contextIsolation: true, ...others }
  return new electron.BrowserWindow({ show: false, webPreferences })
}

/** Loads a page and gives its text, or the reason why it did not load. */
async function textAt(window, url) {
  const failure = await window.loadURL(url).then(
    () => undefined,
    (error) => error.code,
  )
  if (failure) return failure
  return window.webContents.executeJavaScript('document.body.innerText')
}

/** Opens a WebSocket of the dev server at a URL as a page's first request, and gives the greeting, or how it was closed. */
async function greetingAt(window, url) {
  await window.loadURL('data:text/html,<title>no request</title>')
  return window.webContents.executeJavaScript(`new Promise((resolve) => {
    const socket = new WebSocket('${url.replace('http', 'ws')}ws')
    socket.onmessage = ({ data }) => resolve(data)
    socket.onclose = ({ code }) => resolve('closed ' + code)
  })`)
}

/** How a promise ended, in a form that can be sent. */
function outcomeOf(promise) {
  return promise.then(
    () => ({ code: 'fulfilled' }),
    ({ code, message, cause }) => ({ code, message, cause: Object(cause).message }),
  )
}

/** Does something in the middle of the next attach in a page's session: when its proxy is about to be set. */
function inMidAttach({ webContents: { session } }, act) {
  const { setProxy } = session
  session.setProxy = (config) => {
    session.setProxy = setProxy
    act()
    return setProxy.call(session, config)
  }
}

const tools = { ...tabport, electron, openPage, textAt, greetingAt, outcomeOf, inMidAttach, state: {} }

async function run({ id, source, argument }) {
  try {
    const evaluate = new Function(`return (${source})`)()
    return { id, value: await evaluate(tools, argument) }
  } catch (error) {
    return { id, error: { name: error.name, message: error.message, code: error.code, stack: error.stack } }
  }
}

app.whenReady().then(() => {
  const control = connect(Number(TABPORT_CONTROL_PORT), '127.0.0.1')
  control.on('close', () => app.exit(0))
  createInterface({ input: control }).on('line', async (line) => {
    control.write(`${JSON.stringify(await run(JSON.parse(line)))}\n`)
  })
})
