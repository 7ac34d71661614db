// The preview proxy over tabport, with the interface of the one that was written by hand.
const { ProxyServer } = require('tabport')

exports.startTabportProxy = async function startTabportProxy() {
  const server = await ProxyServer.startWithAutoPort('127.0.0.1', 39385, 50, true)
  return {
    port: server.port(),
    createContext: (webContentsId, route) => server.createContext(webContentsId, route),
    releaseContext: (id) => server.releaseContext(id),
    stop: () => server.stop(),
  }
}
