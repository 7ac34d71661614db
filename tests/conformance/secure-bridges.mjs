/**
 * Bridges that end in TLS inside a tunnel: as a browser opens `wss:`, by an upgrade of HTTP/1.1 or by extended CONNECT
 * of HTTP/2. The proxy's authority alone is trusted.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http2 from 'node:http2'
import tls from 'node:tls'
import { answerOf, openTunnel, passOn, readHead, splice, startBridge } from './bridges.mjs'

/** RFC 6455, section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** By an upgrade inside TLS: the bytes of the fuzzing client go through as they are. */
export const wssBridge = (through) =>
  startBridge(async (client) => {
    const socket = await shakeHands(through, 'http/1.1')
    await splice(client, socket)
  })

/** By extended CONNECT (RFC 8441): all WebSockets are streams of one connection inside one tunnel. */
export async function extendedConnectBridge(through) {
  const socket = await shakeHands(through, 'h2')
  const origin = `https://${through.authority}`
  const session = http2.connect(origin, { createConnection: () => socket })
  session.on('error', (error) => console.error(`  HTTP/2: ${error.message}`))
  await once(session, 'remoteSettings')
  const bridge = await startBridge(async (client) => {
    const { head, rest } = await readHead(client)
    client.unshift(rest)
    const { key, request } = translate(head, through.authority)
    const stream = session.request(request)
    const answer = await answerOf(stream)
    if (answer[':status'] !== 200) return passOn(client, stream, answer[':status'])
    client.write(switched(key, answer))
    await splice(client, stream)
  })
  return {
    ...bridge,
    close: async () => {
      await bridge.close()
      session.destroy()
    },
  }
}

async function shakeHands(through, protocol) {
  const { socket } = await openTunnel(through)
  const secure = tls.connect({ socket, ca: through.ca, servername: 'localhost', ALPNProtocols: [protocol] })
  await once(secure, 'secureConnect')
  return secure
}

/** A request to switch protocols as an extended CONNECT, and the key that only HTTP/1.1 has. */
function translate(head, authority) {
  const [line, ...fields] = head.trimEnd().split('\r\n')
  const [, path] = line.split(' ')
  const request = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'https',
    ':authority': authority,
    ':path': path,
  }
  let key = ''
  for (const field of fields) {
    const [name, value] = field.split(/:\s*/, 2)
    if (/^sec-websocket-key$/i.test(name)) key = value
    else if (/^sec-websocket-/i.test(name)) request[name.toLowerCase()] = value
  }
  return { key, request }
}

/** What the fuzzing client waits for. */
function switched(key, answer) {
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64')
  const agreed = ['sec-websocket-protocol', 'sec-websocket-extensions'].filter((name) => name in answer)
  const fields = agreed.map((name) => `${name}: ${answer[name]}\r\n`).join('')
  const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
  return `${head}Sec-WebSocket-Accept: ${accept}\r\n${fields}\r\n`
}
