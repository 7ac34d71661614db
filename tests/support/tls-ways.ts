// Two more ways to have an exchange: inside TLS, which the proxy answers in place of the server, in a tunnel to a
// routed name.
import { once } from 'node:events'
import http2, { type ClientHttp2Session } from 'node:http2'
import tls, { type TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import { head, lowerCase, openTunnel, overStream, type Towards, type Way } from './ways.ts'

/** Broken off without a close_notify: whoever kills a process does not say goodbye. */
export const insideTls: Way = async (to, ask) => {
  const { secure, kill } = await handshake(to, 'http/1.1')
  secure.write(head('/', '1.1', { ...to, host: 'localhost' }, ask))
  return { duplex: secure, raw: true, breakOff: kill }
}

export const insideTlsHttp2: Way = async (to, { method = 'GET', fields = {} }) => {
  to.inside ??= handshake(to, 'h2').then(({ secure }) => sessionOver(secure))
  const pseudo = { ':method': method, ':scheme': 'https', ':authority': `localhost:${to.port}`, ':path': '/' }
  return overStream(await to.inside, { ...pseudo, ...lowerCase(fields) }, method === 'GET', false)
}

async function handshake(to: Towards, alpn: string) {
  const socket = await openTunnel(to.proxy.port(), to.routed, `localhost:${to.port}`)
  const secure = tls.connect({ socket, ca: to.ca, host: 'localhost', ALPNProtocols: [alpn] })
  // What is left open after its end, as a tunnel may be, keeps a session of HTTP/2 from noticing.
  secure.on('error', () => {}).once('end', () => socket.destroySoon())
  await once(secure, 'secureConnect')
  return { secure, kill: () => void socket.resetAndDestroy() }
}

function sessionOver(secure: TLSSocket): ClientHttp2Session {
  const session = http2.connect('https://localhost', { createConnection: () => secure })
  session.on('error', () => {}).setMaxListeners(0)
  onTestFinished(() => session.destroy())
  return session
}
