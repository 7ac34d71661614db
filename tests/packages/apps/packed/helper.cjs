// A proxy outside of the main process, and one request through it.
const { get } = require('http')
const { ProxyServer } = require('tabport')
const { loadedAddons } = require('./loaded.cjs')

const host = `localhost:${process.env.ORIGIN_PORT}`

async function request() {
  const proxy = await ProxyServer.start('127.0.0.1:0', true)
  const { username, password } = proxy.createContext(1, { upstream: 'http://127.0.0.1:{port}' })
  const credentials = Buffer.from(`${username}:${password}`).toString('base64')
  const headers = { host, 'proxy-authorization': `Basic ${credentials}` }
  const options = { host: '127.0.0.1', port: proxy.port(), path: `http://${host}/`, headers, agent: false }
  const text = await new Promise((resolve, reject) => {
    get(options, (answer) => answer.setEncoding('utf8').once('data', resolve)).once('error', reject)
  })
  await proxy.stop()
  return { process: 'helper', text, addons: loadedAddons(), inArchive: __filename.includes('app.asar') }
}

request().then((report) => process.send(report, () => process.exit(0)))
