// WebSockets as the rows need them: a server that echoes, and a client for each way through the proxy.
import { once } from 'node:events'
import type WebSocket from 'ws'
import { WebSocketServer } from 'ws'
import { webSocketByAbsoluteForm, webSocketByConnect } from '../support/clients.ts'
import type { Origin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'

/** Both ways in which a client asks a proxy for a WebSocket. */
export const CLIENTS = [
  ['in absolute form', async (...args: Parameters<typeof webSocketByAbsoluteForm>) => webSocketByAbsoluteForm(...args)],
  ['inside CONNECT', webSocketByConnect],
] as const

/** Echoes, takes `vite-hmr` for its protocol and compresses where that is offered. */
export function serveWebSockets({ server }: Origin): WebSocketServer {
  const handleProtocols = (offered: Set<string>) => offered.has('vite-hmr') && 'vite-hmr'
  const sockets = new WebSocketServer({ noServer: true, handleProtocols, perMessageDeflate: { threshold: 0 } })
  sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })))
  server.on('upgrade', (request, stream, early) => {
    sockets.handleUpgrade(request, stream, early, (socket) => sockets.emit('connection', socket, request))
  })
  return sockets
}

/** Sends a message and gives what comes back. */
export async function echoed(socket: WebSocket, sent: string | Buffer): Promise<unknown> {
  const back = once(socket, 'message')
  socket.send(sent)
  const [data, isBinary] = await within('the echo', back)
  return isBinary ? data : String(data)
}

/** Resolves when a socket is open; it may have been so before. */
export const opened = (socket: WebSocket) => until('the opening', () => socket.readyState === socket.OPEN)

/** A short text in one frame of a client's, masked with zeros (RFC 6455, section 5.2). */
export const masked = (text: string) =>
  Buffer.concat([Buffer.of(0x81, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)])

/** The same in a frame of a server's. */
export const unmasked = (text: string) => Buffer.concat([Buffer.of(0x81, text.length), Buffer.from(text)])
