// The package's types as an ES module project sees them. `tsc` checks this file; nothing runs it.
import { writeFile } from 'node:fs/promises'
import {
  type Certificate,
  type CertificateOptions,
  type ContextLimits,
  type GatewayRoute,
  type ListenOptions,
  type ProxyContextInfo,
  type ProxyEvent,
  type ProxyRoute,
  ProxyServer,
  type ProxyStats,
  type UpstreamRoute,
} from 'tabport'
import { type CreateTabportOptions, createTabport } from 'tabport/electron'

const morph: ProxyRoute = { morphId: 'abc', scope: 'base', domainSuffix: 'preview.example' }
const gateway: GatewayRoute = { cmuxProxyOrigin: 'http://127.0.0.1:39379', workspace: 'one', cmuxProxyToken: 's3cret' }
const limits: ContextLimits = { tunnels: 0, breaker: { failures: 5, openMs: 1_000 } }
const template: UpstreamRoute = { upstream: 'https://{port}-abc.preview.example', limits }

const certificates: CertificateOptions = { directory: '/var/lib/app/tabport', names: ['proxy.example', '10.0.0.5'] }

const options: ListenOptions = {
  host: '127.0.0.1',
  autoPort: { start: 39_385, attempts: 50 },
  http2: true,
  secure: true,
  certificates,
  connectTo: { 'a.example:443': '127.0.0.1:8443' },
  upstreamProxy: 'socks5://user:pass@proxy.example:1080',
  timeouts: { connect: 1_000, tlsHandshake: 1_000, requestHead: 1_000, responseHead: 1_000, idle: 0, halfClose: 1_000 },
  limits: {
    headBytes: 65_536,
    headFields: 128,
    connections: 1_000,
    context: { concurrentRequests: 100, tunnels: 50, requestsPerSecond: 500, burst: 1_000, breaker: { failures: 3 } },
  },
  allowNonLoopback: false,
  onEvent: report,
}

export async function six(): Promise<void> {
  const proxy: ProxyServer = await ProxyServer.startWithAutoPort('127.0.0.1', 39_385, 50, true)
  const port: number = proxy.port()
  const contexts: ProxyContextInfo[] = [morph, gateway, template, undefined].map((route) =>
    proxy.createContext(1, route),
  )
  for (const { id, username, password, webContentsId } of contexts) {
    const texts: string[] = [id, username, password]
    const number: number = webContentsId
    void [texts, number, port]
    proxy.releaseContext(id)
  }
  const stats: ProxyStats = proxy.stats()
  const dropped: number = stats.total.eventsDropped + stats.upstreamConnections
  void dropped
  await proxy.stop()
  await proxy[Symbol.asyncDispose]()
}

/** As in README.md. */
export async function trusted(): Promise<string[]> {
  const directory = '/home/me/.local/share/my-app/tabport'
  const proxy = await ProxyServer.listen({ secure: true, certificates: { directory } })
  await writeFile('authority.pem', proxy.certificateAuthority().pem)
  console.log(proxy.listenerCertificate()?.fingerprint)
  const authority: Certificate = proxy.certificateAuthority()
  const listener: Certificate | null = proxy.listenerCertificate()
  // @ts-expect-error: without `secure` there is none.
  void proxy.listenerCertificate().pem
  return [authority.pem, authority.fingerprint, listener?.fingerprint ?? '']
}

/** The type of an event narrows it. */
function report(event: ProxyEvent): string | number | undefined {
  switch (event.type) {
    case 'connection':
      return event.connectionId
    case 'request':
      return `${event.method} ${event.authority}${event.path} ${event.status} ${event.outcome}`
    case 'tunnel':
      return `${event.kind} ${event.phase} ${event.tunnelId} ${event.bytesUp + event.bytesDown}`
    case 'error':
      return event.contextId ?? event.code
  }
}

export async function refused(proxy: ProxyServer): Promise<void> {
  // @ts-expect-error: a server is started, not constructed with arguments of one's own.
  new ProxyServer('127.0.0.1:0')
  // @ts-expect-error: the second argument is required.
  await ProxyServer.start('127.0.0.1:0')
  // @ts-expect-error: the id is a number.
  proxy.createContext('1')
  // @ts-expect-error: a route is complete.
  proxy.createContext(1, { morphId: 'abc' })
  // @ts-expect-error: limits alone are no route.
  proxy.createContext(1, { limits })
  // @ts-expect-error: there is no such option.
  await ProxyServer.listen({ hots: '127.0.0.1' })
  // @ts-expect-error: names are a list.
  await ProxyServer.listen({ certificates: { names: 'proxy.example' } })
}

const wired: CreateTabportOptions[] = [
  { scope: 'loopback', upstreamProxy: 'system' },
  { scope: 'all', upstreamProxy: (url) => (url.startsWith('https:') ? 'PROXY a.example:3128; DIRECT' : 'DIRECT') },
  { upstreamProxy: async (url: string) => `http://proxy.example/?${url.length}` },
  // @ts-expect-error: there are two scopes.
  { scope: 'some' },
  // @ts-expect-error: a proxy has a name.
  { upstreamProxy: 3128 },
]

void [options, wired]
void createTabport
