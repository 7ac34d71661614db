// One browser context's localhost: credentials at the worker's proxy, for as long as the context lives.
//
// Whatever would take a context past the proxy is an error here, because it would show the test the real localhost.
import type { GatewayRoute, ProxyRoute, ProxyServer, UpstreamRoute } from 'tabport'

/** Where a context's loopback names lead: any route of tabport's. */
export type Route = ProxyRoute | GatewayRoute | UpstreamRoute

/** Playwright's `proxy` option, as far as it is set here. */
export interface ProxySettings {
  /** The worker's proxy, such as `http://127.0.0.1:41234`. */
  server: string
  /** What has Chromium send it loopback names, too. */
  bypass?: string
  /** Of the browser context alone, as is `password`. */
  username?: string
  /** What goes with `username`. */
  password?: string
}

/** A context at the proxy, and what a browser context must be told of it. */
export interface Localhost {
  settings: ProxySettings
  release(): void
}

export function openLocalhost(proxy: ProxyServer, route: Route, browserName: string): Localhost {
  const { id, username, password } = proxy.createContext(nextId(), route)
  // Chromium leaves loopback out of any proxy unless it is told not to; the others take this for a name.
  const bypass = browserName === 'chromium' ? { bypass: '<-loopback>' } : {}
  return {
    settings: { server: `http://127.0.0.1:${proxy.port()}`, ...bypass, username, password },
    release: () => proxy.releaseContext(id),
  }
}

let last = 0

/** Contexts are told apart by a number, which is a `WebContents` in Electron. */
function nextId(): number {
  last = (last % 0x7fff_ffff) + 1
  return last
}

/** Both at once would leave one of them without effect. */
export function refuseOtherProxy(other: unknown): void {
  if (!other) return
  throw new Error(
    'tabport: `localhost` and `proxy` are both set, and a browser context has one proxy. ' +
      'Name the other one in `localhostProxy: { upstreamProxy }`.',
  )
}

/** A `proxy` that a test file sets takes the place of ours without another word. */
export function checkProxy(ours: ProxySettings | undefined, used: ProxySettings | undefined): void {
  if (ours && ours.username !== used?.username) refuseOtherProxy(used ?? {})
}
