// Other people's proxies, which ours reaches the world through. Each leads every name to one server on this machine.
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { serverCertificate } from './certificates.ts'

export interface NextProxy {
  /** `host:port`. */
  readonly at: string
  /** What it was asked for, refused or not. */
  readonly asked: string[]
  /** The credentials it was given, or an empty string, for each time it was asked. */
  readonly credentials: string[]
}

interface Conduct {
  /** The port that every name leads to; 0 is nowhere. */
  to?: number
  /** `user:password`, where it wants them. */
  wants?: string
  /** Whether it is spoken to over TLS. */
  secure?: boolean
}

/** A proxy that takes CONNECT, as corporate ones do. */
export async function startHttpProxy({ to = 0, wants, secure = false }: Conduct = {}): Promise<NextProxy> {
  const server = secure
    ? https.createServer({ ...serverCertificate, allowHalfOpen: true } as object)
    : http.createServer()
  const proxy = await listen(server)
  server.on('connect', (request: IncomingMessage, client: Socket, early: Buffer) => {
    const given = fromBasic(request.headers['proxy-authorization'])
    proxy.asked.push(request.url ?? '')
    proxy.credentials.push(given)
    if (wants !== undefined && given !== wants) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="corporate"\r\n\r\n')
      return
    }
    join(client, to, early, 'HTTP/1.1 200 Connection established\r\n\r\n', 'HTTP/1.1 502 Bad Gateway\r\n\r\n')
  })
  return proxy
}

/** A proxy that speaks SOCKS 5. */
export async function startSocksProxy({ to = 0, wants }: Conduct = {}): Promise<NextProxy> {
  const server = net.createServer({ allowHalfOpen: true })
  const proxy = await listen(server)
  server.on('connection', async (client: Socket) => {
    const take = reader(client)
    const [, methods] = await take(2)
    await take(methods!)
    client.write(Buffer.from([5, wants === undefined ? 0 : 2]))
    if (wants !== undefined) {
      const [, length] = await take(2)
      const user = await take(length!)
      const given = `${user}:${await take((await take(1))[0]!)}`
      proxy.credentials.push(given)
      client.write(Buffer.from([1, given === wants ? 0 : 1]))
      if (given !== wants) return client.end()
    }
    const [, , , kind] = await take(4)
    const host = kind === 3 ? String(await take((await take(1))[0]!)) : (await take(kind === 1 ? 4 : 16)).join('.')
    proxy.asked.push(`${host}:${(await take(2)).readUInt16BE()}`)
    const reply = (code: number) => Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0])
    join(client, to, take.rest(), reply(0), reply(5))
  })
  return proxy
}

function join(client: Socket, to: number, early: Buffer, opened: string | Buffer, refused: string | Buffer): void {
  if (to === 0) return void client.end(refused)
  const upstream = net.connect({ port: to, host: '127.0.0.1', allowHalfOpen: true }, () => {
    client.write(opened)
    upstream.write(early)
    client.pipe(upstream).pipe(client)
  })
  upstream.on('error', () => client.destroy())
  client.on('close', () => upstream.destroy())
}

/** Takes so many bytes off a socket, however they arrive. */
function reader(socket: Socket) {
  const take = async (length: number): Promise<Buffer> => {
    for (;;) {
      const bytes = length === 0 ? Buffer.alloc(0) : (socket.read(length) as Buffer | null)
      if (bytes?.length === length) return bytes
      if (bytes !== null || socket.destroyed) throw new Error('the client ended in mid-sentence')
      await new Promise((resolve) => socket.once('readable', resolve))
    }
  }
  return Object.assign(take, { rest: () => (socket.read() as Buffer | null) ?? Buffer.alloc(0) })
}

function fromBasic(field = ''): string {
  return Buffer.from(field.replace(/^Basic /, ''), 'base64').toString()
}

async function listen(server: Server): Promise<NextProxy & { asked: string[]; credentials: string[] }> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { at: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked: [], credentials: [] }
}
