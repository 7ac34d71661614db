import type { WebContents } from 'electron'
import type { AutoPort, GatewayRoute, ListenOptions, ProxyRoute, ProxyStats, UpstreamRoute } from 'tabport'
import type { CertificateVerifyProc } from './verify'

/** Where a tab's loopback names lead. See `ProxyServer.createContext` for what each form means. */
export type Route = ProxyRoute | GatewayRoute | UpstreamRoute

/** Which of a session's traffic goes through the proxy: see {@link CreateTabportOptions.scope}. */
export type Scope = 'all' | 'loopback'

/** The part of `AbortSignal` that is used, so that a polyfill will do where the runtime has none. */
export interface AbortSignalLike {
  /** Whether it has aborted already. */
  readonly aborted: boolean
  /** Why, for whoever waits. */
  readonly reason?: unknown
  /** Calls `listener` when it aborts. */
  addEventListener(type: 'abort', listener: () => void): void
  /** Calls `listener` no more. */
  removeEventListener(type: 'abort', listener: () => void): void
}

/** Everything `ProxyServer.listen` takes, and what only the Electron side needs. */
export interface CreateTabportOptions extends ListenOptions {
  /**
   * What {@link Tabport.partitionFor} puts before the hashed key. A prefix that starts with `persist:` keeps
   * cookies and storage on disk; any other keeps them in memory.
   *
   * @defaultValue `persist:tabport-`
   */
  partitionPrefix?: string
  /**
   * Which of an attached session's traffic goes through the proxy.
   *
   * `'all'` is everything. Only the proxy sees where a request really leads, so only then is it certain that a tab with a
   * route never reaches the user's own machine.
   *
   * `'loopback'` is `localhost`, `*.localhost`, 127.0.0.0/8 and `[::1]`; the rest is left to Chromium, which connects
   * directly, with HTTP/3 and without a further hop. It has limits. Chromium does not take `0.0.0.0`, `[::]` or a public name
   * that resolves to a loopback address for loopback: in a tab with a route, too, they lead to the user's own machine.
   * And what goes directly goes past a proxy of the system's: `upstreamProxy` is then for the routes' upstreams alone.
   *
   * In both, a session whose attachment fails or whose proxy stops is left without any way out.
   *
   * @defaultValue `'all'`
   */
  scope?: Scope
  /**
   * Takes the first free port of a range. Not together with `port`.
   *
   * @defaultValue `{ start: 39385, attempts: 50 }`, unless `port` is set: a port that is the same from one run to the next
   * keeps what Chromium has cached by it
   */
  autoPort?: AutoPort
  /**
   * The next proxy, as in `ProxyServer.listen`: a URL, or a function that says which proxies lead to a URL. Or
   * `'system'`: what the default session's `resolveProxy` says, which is the system's settings unless the app has set
   * others. It has no credentials to offer; where the proxy wants them, give a URL, or a function that adds them.
   */
  upstreamProxy?: 'system' | NonNullable<ListenOptions['upstreamProxy']>
  /**
   * Whether Chromium speaks to the proxy over TLS, with a certificate that is made anew for each run and that the attached
   * sessions know by its fingerprint. There they agree on HTTP/2, and one connection carries all that a page asks for: no six
   * connections for each origin, no 32 for all. Chromium has one for each top-level site of a session (its network isolation
   * key), and `http://localhost` and `https://localhost` are two.
   *
   * By default so it is where that is of use: in Chromium 114 (Electron 25) and later, unless `http2` is false. Before,
   * Chromium cannot be relied on to open `ws:` through an HTTP/2 proxy (https://crbug.com/684681); with `true`, the proxy speaks
   * HTTP/1.1 over TLS there, whatever `http2` says, and that is slower than without.
   */
  secure?: boolean
  /**
   * Whether Chromium is offered HTTP/2, by a `secure` proxy and on `https:` loopback hosts of a tab with a route.
   *
   * @defaultValue `true` in Chromium 100 (Electron 18) and later. Before, the network service may crash when connections are
   * given up while their certificate is being looked at, as they are once one of several has agreed on HTTP/2
   * (electron/electron#33204).
   */
  http2?: boolean
  /**
   * What an attached session asks about a certificate that is not the proxy's: the app's own handler, in the form in which
   * `session.setCertificateVerifyProc` takes it. It is for handlers that were set before `createTabport`, which Electron tells
   * nobody about, and for sessions of before. One that the app sets later comes in its place, for that session.
   *
   * @defaultValue none: Chromium's own verdict stands
   */
  certificateVerifyProc?: CertificateVerifyProc
  /** Stops the proxy when it aborts, exactly as {@link Tabport.stop} does. */
  signal?: AbortSignalLike
}

/** Options of {@link Tabport.attach}. */
export interface AttachOptions {
  /** Where this tab's loopback names lead. Without one they lead to the machine itself, as they do in any browser. */
  route?: Route
}

/** One `WebContents` whose traffic goes through the proxy. */
export interface Tab {
  /** The proxy context that answers for this tab. Tabs that share a session share it. */
  readonly contextId: string
  /**
   * Lets go of the proxy. The last tab of a session to do so ends its context, which cuts its live sockets, and
   * **gives the session back to the system's proxy settings**: from then on `localhost` is the user's own machine
   * again. Navigate the tab away first. Safe to call twice. Electron 9 cannot go back to the system's settings: there
   * the session connects directly, without any proxy.
   */
  detach(): Promise<void>
}

/** A running proxy and the sessions wired to it. */
export interface Tabport {
  /** The TCP port the proxy listens on. */
  readonly port: number
  /**
   * Sends all traffic in scope of this `WebContents`' session through the proxy, and resolves once a request has gone all the
   * way. Load the page after that, not before: connections of a page that is there already are closed where Electron
   * can close them, and Electron 9 cannot. Waits for `app.whenReady()`.
   *
   * Chromium keeps proxy credentials per session, so a session has one route, and every tab that needs its own
   * `localhost` needs its own partition: see {@link Tabport.partitionFor}. Attaching the same `WebContents` again with the
   * same route gives the same {@link Tab}. Windows that a page opens by `window.open` share its session: attach them too, or
   * they lose their way when the attached tab closes. A window by a click with Ctrl, Shift or the middle button (from
   * Electron 14 on) and a `<webview>` are in another session, unless the app says otherwise.
   *
   * A tab with a route sends no UDP, so WebRTC, which no proxy sees, cannot reach the user's own machine either; it is
   * left with what goes through the proxy until {@link Tab.detach}.
   *
   * It fails closed. When `attach` rejects, when the `WebContents` is destroyed and when the proxy stops, the session
   * is left on a proxy that does not answer: a page in it reaches neither its route nor the user's own machine.
   * (A session that other tabs are using, or another {@link Tabport}, is left to them.)
   *
   * @throws {@link TabportError} `ERR_TABPORT_SESSION_IN_USE`: the session already has another route, or is
   * attached to another {@link Tabport}.
   * @throws {@link TabportError} `ERR_TABPORT_DESTROYED`: the `WebContents` is gone, or went in the meantime.
   * @throws {@link TabportError} `ERR_TABPORT_WIRING`: a step failed; the message says which, `cause` says why.
   * @throws {@link TabportError} `ERR_TABPORT_STOPPED`: the proxy has stopped.
   * @throws {@link TabportError} `ERR_TABPORT_INVALID_ARGUMENT`: not a `WebContents`, not options, or an
   * option that does not exist.
   * @throws `Error` with `code` `ERR_TABPORT_INVALID_ROUTE`: the proxy refused the route.
   */
  attach(webContents: WebContents, options?: AttachOptions): Promise<Tab>
  /** The partition for a tab: the prefix and 24 hex digits of the key's SHA-256. The same key, the same partition. */
  partitionFor(key: string): string
  /** The proxy's gauges and totals. */
  stats(): ProxyStats
  /**
   * Ends every context and live socket, leaves the attached sessions closed, and stops listening. Idempotent.
   * Runs by itself on the app's `will-quit`.
   */
  stop(): Promise<void>
  /** The same as {@link Tabport.stop}, for `await using`, where the runtime has `Symbol.asyncDispose`. */
  [Symbol.asyncDispose](): Promise<void>
}
