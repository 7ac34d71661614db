// Clients that speak TLS to the proxy: inside a tunnel, where it answers in place of the server, and to a secure
// listener. Each trusts the proxy's own authority, and nobody else.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http2, { type ClientHttp2Session } from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import tls, { type TLSSocket } from 'node:tls'
import type { ProxyContextInfo, ProxyServer } from 'tabport'
import { onTestFinished } from 'vitest'
import { connectTunnel } from './clients.ts'
import { within } from './poll.ts'

export type Alpn = 'h2' | 'http/1.1'

/** The host of `host:port`, without the brackets of an IPv6 address. */
const hostOf = (authority: string) => authority.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')

/** Shakes hands inside a new tunnel; fails where the certificate is not valid for the tunnel's host. */
export async function tlsByConnect(
  proxy: Pick<ProxyServer, 'port' | 'certificateAuthority'>,
  context: ProxyContextInfo,
  authority: string,
  { alpn = ['http/1.1'] as Alpn[], ca = proxy.certificateAuthority().pem } = {},
): Promise<TLSSocket> {
  const { status, socket } = await connectTunnel(proxy, context, authority)
  if (status !== 200) throw new Error(`CONNECT was answered ${status}`)
  return handshake({ socket, ca, host: hostOf(authority), ALPNProtocols: alpn })
}

/** Shakes hands, for HTTP/2, in a tunnel that is a stream. */
export const tlsInStream = (socket: Duplex, proxy: ProxyServer, authority: string): Promise<TLSSocket> =>
  handshake({ socket, ca: proxy.certificateAuthority().pem, host: hostOf(authority), ALPNProtocols: ['h2'] })

/** Shakes hands with a secure listener. */
export const tlsToListener = (proxy: ProxyServer, alpn: Alpn[] = ['h2', 'http/1.1']): Promise<TLSSocket> =>
  handshake({ host: '127.0.0.1', port: proxy.port(), ca: proxy.certificateAuthority().pem, ALPNProtocols: alpn })

async function handshake(options: tls.ConnectionOptions): Promise<TLSSocket> {
  const socket = tls.connect(options)
  onTestFinished(() => void socket.destroy())
  await within('the handshake', once(socket, 'secureConnect'))
  return socket.on('error', () => {})
}

/** HTTP/2 over such a connection, once the proxy has said how it speaks it. */
export async function http2Over(socket: TLSSocket): Promise<ClientHttp2Session> {
  const session = http2.connect('https://localhost', { createConnection: () => socket })
  session.on('error', () => {}).setMaxListeners(0)
  onTestFinished(() => session.destroy())
  await within('the settings', once(session, 'remoteSettings'))
  return session
}

/** A port that leads into a tunnel, for programs that cannot ask for one to such an authority by themselves. */
export async function portInto(proxy: ProxyServer, context: ProxyContextInfo, authority: string): Promise<number> {
  const server = net.createServer(async (socket) => {
    const tunnel = await connectTunnel(proxy, context, authority)
    socket.on('error', () => {})
    socket.pipe(tunnel.socket).pipe(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

/** A folder that is gone when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tabport-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A file for programs that take no PEM otherwise. */
export function fileOf(pem: string): string {
  const file = join(temporaryFolder(), 'certificate.pem')
  writeFileSync(file, pem)
  return file
}

/** Runs openssl, with nothing to read, and gives how it ended and all that it printed. */
export async function openssl(...args: string[]): Promise<{ ok: boolean; printed: string }> {
  return new Promise((resolve) => {
    const child = execFile('openssl', args, { timeout: 15_000 }, (error, stdout, stderr) =>
      resolve({ ok: error === null, printed: stdout + stderr }),
    )
    child.stdin?.end()
  })
}
