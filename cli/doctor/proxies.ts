// Proxies and VPNs that others have set up: variables of the environment, and interfaces of the network.
import { type Finding, type Machine, note, ok } from './finding'

const VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY']

/** Tunnels as systems and VPN clients name them. */
const TUNNEL = /^(utun|tun|tap|wg|ppp|ipsec|tailscale|nordlynx|proton|cscotun|gpd|zt)/i

export function checkVariables({ env }: Machine): Finding[] {
  const set = VARIABLES.flatMap((name) => [name, name.toLowerCase()]).filter((name) => env[name])
  const findings = set.length === 0 ? [ok('proxy', 'no variable names one')] : [proxyIsSet(set)]
  return [...findings, ...bypass(env.NO_PROXY ?? env.no_proxy)]
}

/** The value may hold a password, so that it is not shown. */
const proxyIsSet = (names: string[]) =>
  note(
    'proxy',
    `${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} set, which tabport does not read`,
    'if upstreams are reached through it only: `upstreamProxy` in an app, `--upstream-proxy` on the command line',
  )

/** Curl, and what reads the variable like it, then goes past the proxy that its command line names. */
function bypass(value: string | undefined): Finding[] {
  const names = (value ?? '').split(',').map((name) => name.trim())
  if (!names.some((name) => ['*', 'localhost', '127.0.0.1', '::1'].includes(name))) return []
  const message = 'NO_PROXY names localhost: clients that heed it go past any proxy, to the real one'
  return [note('proxy', message, "unset it for them; curl: --noproxy ''")]
}

export function checkVpn({ interfaces }: Machine): Finding[] {
  const tunnels = interfaces.filter((name) => TUNNEL.test(name))
  if (tunnels.length === 0) return [ok('VPN', 'no interface looks like one')]
  const message = `${tunnels.join(', ')} may be one; loopback is not led through it, upstreams may be`
  return [note('VPN', message, 'where an upstream cannot be reached, try without it')]
}
