/**
 * The ways that a WebSocket takes to its server: none but the first leads there by itself, all others lead through one
 * proxy, and every one must behave as the first does.
 */
import { once } from 'node:events'
import { ProxyServer } from 'tabport'
import { WebSocketServer } from 'ws'
import { absoluteFormBridge, connectBridge, http2Bridge } from './bridges.mjs'
import { extendedConnectBridge, wssBridge } from './secure-bridges.mjs'

const DIRECT = 'direct'
/** A tab without a route, and one whose loopback leads to the echo server's machine: its tunnels are looked into. */
const OPEN = { asks: '127.0.0.1' }
const ROUTED = { asks: 'localhost', route: { upstream: 'http://127.0.0.1:{port}' } }

const WAYS = [
  { name: 'CONNECT', bridge: connectBridge, tab: OPEN },
  { name: 'CONNECT in a routed tab', bridge: connectBridge, tab: ROUTED },
  { name: 'absolute-form upgrade', bridge: absoluteFormBridge, tab: OPEN },
  { name: 'absolute-form upgrade in a routed tab', bridge: absoluteFormBridge, tab: ROUTED },
  { name: 'CONNECT over HTTP/2', bridge: http2Bridge, tab: OPEN },
  { name: 'CONNECT over HTTP/2 in a routed tab', bridge: http2Bridge, tab: ROUTED },
  { name: 'an upgrade inside TLS', bridge: wssBridge, tab: ROUTED },
  { name: 'extended CONNECT inside TLS', bridge: extendedConnectBridge, tab: ROUTED },
]

/**
 * Starts an echo server and a proxy. A way there is opened when it is its turn, and gives its port: the proxy tells a client
 * of HTTP/2 to go that asks for nothing for a minute. `tunnels` tells how many the proxy has opened.
 */
export async function openPaths() {
  const echo = await startEcho()
  const proxy = await ProxyServer.listen()
  const bridges = []
  const open = async ({ bridge, tab }, id) => {
    const { username, password } = proxy.createContext(id, tab.route)
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
    const ca = proxy.certificateAuthority().pem
    const authority = `${tab.asks}:${echo.address().port}`
    const opened = await bridge({ port: proxy.port(), ca, authorization, authority })
    bridges.push(opened)
    return opened.port
  }
  return {
    paths: [
      { name: DIRECT, open: () => echo.address().port },
      ...WAYS.map((way, id) => ({ name: way.name, open: () => open(way, id) })),
    ],
    tunnels: () => proxy.stats().total.tunnels,
    close: async () => {
      await Promise.all(bridges.map((bridge) => bridge.close()))
      await proxy.stop()
      for (const socket of echo.clients) socket.terminate()
      echo.close()
    },
  }
}

/** The suite sends messages in more fragments, and larger ones, than a server would put up with. */
async function startEcho() {
  const limits = { maxPayload: 64 * 1024 * 1024, maxFragments: 0, maxBufferedChunks: 0 }
  const echo = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true, ...limits })
  echo.on('connection', (socket) => {
    socket.on('error', () => {})
    socket.on('message', (data, binary) => socket.send(data, { binary }))
  })
  await once(echo, 'listening')
  return echo
}
