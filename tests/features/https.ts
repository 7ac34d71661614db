// A tab whose `localhost:3000` is a workspace behind TLS, and the ways in which its https pages ask for it.
import { once } from 'node:events'
import type { ClientHttp2Session } from 'node:http2'
import type { ListenOptions, ProxyContextInfo, ProxyServer } from 'tabport'
import { http2Session } from '../support/clients.ts'
import { http2Over, tlsByConnect, tlsInStream, tlsToListener } from '../support/https.ts'
import { type Answer, startTlsOrigin } from '../support/origin.ts'
import { within } from '../support/poll.ts'
import { basic, previewTo, startProxy } from '../support/proxy.ts'
import type { Asking } from './fixture.ts'

export const AUTHORITY = 'localhost:3000'

/** A workspace that is reached over TLS, in the versions that it offers. */
export async function secureTab(
  answer?: Answer,
  protocols: ('h2' | 'http/1.1')[] = ['http/1.1'],
  options: ListenOptions = {},
) {
  const origin = await startTlsOrigin(answer, protocols)
  const proxy = await startProxy({ ...previewTo(origin.port, '3000-ws', '443-ws'), ...options })
  const context = proxy.createContext(1, { upstream: 'https://{port}-ws.preview.test' })
  return { origin, proxy, context, authority: AUTHORITY }
}

/** A client of HTTP/2, and what its requests say besides their own. */
export interface Asker {
  session: ClientHttp2Session
  pseudo: Record<string, string>
}

/** Asks inside TLS inside a tunnel: who opened that has given the credentials. */
export async function insideTunnel(to: Asking & { proxy: ProxyServer }): Promise<Asker> {
  const session = await http2Over(await tlsByConnect(to.proxy, to.context, to.authority, { alpn: ['h2'] }))
  return { session, pseudo: pseudo(to.authority, 'https') }
}

/** Asks a secure listener, with credentials in every request. */
export async function overSecureListener(to: Asking & { proxy: ProxyServer }): Promise<Asker> {
  const session = await http2Over(await tlsToListener(to.proxy))
  return { session, pseudo: { ...pseudo(to.authority, 'http'), ...credentials(to.context) } }
}

/** What Chromium does: TLS inside a tunnel that is a stream of its one connection to the proxy. */
export async function insideTunnelOfSecureListener(to: Asking & { proxy: ProxyServer }): Promise<Asker> {
  const { session } = await overSecureListener(to)
  const asked = { ':method': 'CONNECT', ':authority': to.authority, ...credentials(to.context) }
  const stream = session.request(asked, { endStream: false })
  await within('the tunnel', once(stream, 'response'))
  const inside = await http2Over(await tlsInStream(stream, to.proxy, to.authority))
  return { session: inside, pseudo: pseudo(to.authority, 'https') }
}

/** In clear, by prior knowledge. */
export async function byPriorKnowledge(to: Asking & { proxy: ProxyServer }): Promise<Asker> {
  const session = http2Session(to.proxy)
  await within('the settings', once(session, 'remoteSettings'))
  return { session, pseudo: { ...pseudo(to.authority, 'http'), ...credentials(to.context) } }
}

export const WAYS_OF_HTTP2: [string, ListenOptions, (to: Asking & { proxy: ProxyServer }) => Promise<Asker>][] = [
  ['by prior knowledge', {}, byPriorKnowledge],
  ['inside TLS inside CONNECT', {}, insideTunnel],
  ['over the secure listener', { secure: true }, overSecureListener],
  ['inside TLS inside CONNECT over the secure listener', { secure: true }, insideTunnelOfSecureListener],
]

const credentials = (context: ProxyContextInfo) => ({ 'proxy-authorization': basic(context) })
const pseudo = (authority: string, scheme: string) => ({ ':scheme': scheme, ':authority': authority, ':path': '/' })
