// The first event makes the listener throw; the proxy is asked again afterwards.
const http = require('http')
const { ProxyServer } = require('../../../index.js')

let thrown = false
const onEvent = () => {
  if (thrown) return
  thrown = true
  throw new Error('from the listener')
}

ProxyServer.listen({ onEvent }).then((proxy) => {
  const ask = (then) => {
    const options = { host: '127.0.0.1', port: proxy.port(), path: 'http://localhost:1/', agent: false }
    http.get(options, (response) => response.resume().once('end', () => then(response.statusCode)))
  }
  process.once('uncaughtException', (error) => {
    console.log(`uncaught: ${error.message}`)
    ask((status) => console.log(`still served: ${status}`))
  })
  // Until the exception has arrived nothing else keeps the process alive.
  const keepAlive = setInterval(() => thrown && clearInterval(keepAlive), 10)
  ask(() => {})
})
