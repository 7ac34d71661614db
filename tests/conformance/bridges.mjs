/**
 * Autobahn's fuzzing client cannot use a proxy. A bridge is what it dials instead: each connection goes on through the
 * proxy, in one of the ways in which a browser would take it there, and from then on bytes are passed both ways.
 */
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import { pipeline } from 'node:stream/promises'

const END_OF_HEAD = '\r\n\r\n'
const LONGEST_HEAD = 64 * 1024

/** By CONNECT, over HTTP/1.1. `through` says where the proxy is, who asks and for what. */
export const connectBridge = (through) =>
  startBridge(async (client) => {
    const { socket, status } = await openTunnel(through)
    await passOn(client, socket, status)
  })

/** Asks for a tunnel, and gives its bytes whatever the answer was. */
export async function openTunnel({ port, authorization, authority }) {
  const { socket, head, status } = await new Promise((resolve, reject) => {
    const headers = { Host: authority, 'Proxy-Authorization': authorization }
    http
      .request({ host: '127.0.0.1', port, method: 'CONNECT', path: authority, headers, agent: false })
      .once('connect', (response, socket, head) => resolve({ socket, head, status: response.statusCode }))
      .once('error', reject)
      .end()
  })
  if (head.length > 0) socket.unshift(head)
  return { socket, status }
}

/** By CONNECT over HTTP/2 with prior knowledge: all tunnels are streams of one connection. */
export async function http2Bridge({ port, authorization, authority }) {
  const session = http2.connect(`http://127.0.0.1:${port}`)
  session.on('error', (error) => console.error(`  HTTP/2: ${error.message}`))
  const bridge = await startBridge(async (client) => {
    const request = { ':method': 'CONNECT', ':authority': authority, 'proxy-authorization': authorization }
    const stream = session.request(request)
    await passOn(client, stream, (await answerOf(stream))[':status'])
  })
  return {
    ...bridge,
    close: async () => {
      await bridge.close()
      session.destroy()
    },
  }
}

/** The fields that a stream is answered with. */
export const answerOf = (stream) =>
  new Promise((resolve, reject) => {
    stream.once('response', resolve).once('error', reject)
  })

/** By an upgrade whose request target is in absolute-form: only its head is written anew. */
export const absoluteFormBridge = ({ port, authorization, authority }) =>
  startBridge(async (client) => {
    const { head, rest } = await readHead(client)
    const proxied = head
      .replace(/^GET (\S*)/, `GET http://${authority}$1`)
      .replace(/^Host: .*$/im, `Host: ${authority}\r\nProxy-Authorization: ${authorization}`)
    const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true })
    socket.write(Buffer.concat([Buffer.from(proxied, 'latin1'), rest]))
    await splice(client, socket)
  })

/** A listener on 127.0.0.1 that hands every connection to `carry`; one that cannot be carried is reset. */
export async function startBridge(carry) {
  const clients = new Set()
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    clients.add(client)
    client.on('error', () => {}).once('close', () => clients.delete(client))
    carry(client).catch(() => client.destroy())
  })
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  return {
    port: server.address().port,
    close: async () => {
      for (const client of clients) client.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A refusal is told to the fuzzing client, so that its report shows it. */
export async function passOn(client, upstream, status) {
  if (status === 200) return splice(client, upstream)
  upstream.on('error', () => {}).destroy()
  client.end(`HTTP/1.1 ${status} From The Proxy\r\nContent-Length: 0\r\n\r\n`)
}

/** Each direction ends by itself; what breaks one breaks both. */
export async function splice(client, upstream) {
  await Promise.all([pipeline(client, upstream), pipeline(upstream, client)])
}

export async function readHead(client) {
  let read = Buffer.alloc(0)
  while (read.length < LONGEST_HEAD) {
    const end = read.indexOf(END_OF_HEAD)
    if (end >= 0) return { head: read.toString('latin1', 0, end + 4), rest: read.subarray(end + 4) }
    const chunk = client.read()
    if (chunk) read = Buffer.concat([read, chunk])
    else await readable(client)
  }
  throw new Error('the head is too long')
}

const readable = (client) =>
  new Promise((resolve, reject) => {
    client.once('readable', resolve).once('close', () => reject(new Error('closed in the head')))
  })
