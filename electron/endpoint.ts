/**
 * The proxy as Chromium has to be told about it, and the closed proxy that takes its place when there is nothing
 * to prove that a session's traffic would end up where it should.
 */
import type { ProxyConfig } from 'electron'
import type { Scope } from './types'

/** Where the proxy listens, in the form in which Chromium names it in a challenge. */
export interface Endpoint {
  readonly host: string
  readonly port: number
  /** Whether it speaks TLS. */
  readonly secure: boolean
}

/**
 * `localhost` and its like skip any proxy unless the last rule takes that exception away; `*` before it lets everything
 * else skip it. The last rule that matches a host decides, so the order matters.
 */
const BYPASS: Record<Scope, string> = { all: '<-loopback>', loopback: '*;<-loopback>' }

/** Broadcast: nobody can ever listen there, and TCP cannot connect to it (Linux says so before a packet leaves). */
const CLOSED: Endpoint = { host: '255.255.255.255', port: 9, secure: false }

/**
 * What to dial where a server listens on something else than an address: all interfaces is none, and `localhost` is
 * two, of which Chromium would try `::1` first, where anybody may listen on our port.
 */
const DIALLED: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1', localhost: '127.0.0.1' }

/** Takes the host as it was given to the server. An IPv6 address has many spellings, and Chromium names it by one. */
export function endpointOf(listenHost: string, port: number, secure: boolean): Endpoint {
  const host = withoutBrackets(new URL(`http://${bracketed(listenHost)}`).hostname)
  return { host: DIALLED[host] ?? host, port, secure }
}

/** Sends every scheme to the endpoint; a list by scheme (`http=…;https=…`) would leave out those it does not name. */
export function throughProxy({ host, port, secure }: Endpoint, scope: Scope = 'all'): ProxyConfig {
  const scheme = secure ? 'https' : 'http'
  const proxyRules = `${scheme}://${bracketed(host)}:${port}`
  return { mode: 'fixed_servers', proxyRules, proxyBypassRules: BYPASS[scope] }
}

/** Lets nothing out, whatever the scope was. */
export const closedProxy = (): ProxyConfig => throughProxy(CLOSED)

/** What a session has before anybody touches it. */
export const systemProxy = (): ProxyConfig => ({ mode: 'system' })

export const withoutBrackets = (host: string): string => host.replace(/^\[|\]$/g, '')

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)
