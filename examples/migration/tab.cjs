// How a tab is wired to its preview proxy: by hand, or by `attach`, where the flag says so.
const { app } = require('electron')

/** Undefined where tabport is not wanted, or cannot be had: tabs are then wired by hand. */
exports.startTabport = async function startTabport(wanted, report) {
  if (!wanted) return undefined
  try {
    return await require('tabport/electron').createTabport({ partitionPrefix: 'persist:cmux-preview-' })
  } catch (error) {
    report(error)
    return undefined
  }
}

exports.openTab = async function openTab(window, url, route, { tabport, previewProxy }) {
  const { webContents } = window
  if (tabport) await tabport.attach(webContents, { route })
  else await wireByHand(webContents, await previewProxy.createContext(webContents.id, route))
  await window.loadURL(url)
}

async function wireByHand(webContents, { port, username, password, release }) {
  await webContents.session.setProxy({
    mode: 'fixed_servers',
    proxyRules: `http=127.0.0.1:${port};https=127.0.0.1:${port}`,
    proxyBypassRules: '<-loopback>',
  })
  const answer = (event, asking, _details, { isProxy }, callback) => {
    if (!isProxy || asking !== webContents) return
    event.preventDefault()
    callback(username, password)
  }
  app.on('login', answer)
  webContents.once('destroyed', () => {
    app.removeListener('login', answer)
    release()
  })
}
