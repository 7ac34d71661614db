// Starts a proxy, leaves it running with an open connection, and has nothing else to do.
const net = require('net')
const { ProxyServer } = require('../../../index.js')

ProxyServer.listen({ onEvent: () => {}, upstreamProxy: () => 'DIRECT' }).then((proxy) => {
  proxy.createContext(1)
  const socket = net.connect(proxy.port(), '127.0.0.1', () => {
    socket.unref()
    console.log('running')
  })
})
