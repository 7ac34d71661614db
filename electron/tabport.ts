import { app, type Session, type WebContents } from 'electron'
import { ProxyServer, type ProxyStats } from 'tabport'
import { asyncDispose } from './compat'
import { type Endpoint, endpointOf } from './endpoint'
import { destroyed, invalidArgument } from './errors'
import { listenerOptions } from './listener'
import { loginListener } from './login'
import { DEFAULT_PARTITION_PREFIX, partitionFor } from './partition'
import { ProxiedSession, type RunningProxy } from './session'
import { trustIn } from './trust'
import type { AbortSignalLike, AttachOptions, CreateTabportOptions, Route, Scope, Tab, Tabport } from './types'
import { upstreamProxyOf } from './upstream'
import { rememberHandlers, type Verification } from './verify'

const DEFAULT_HOST = '127.0.0.1'

/**
 * Starts the proxy. May be called before the app is ready.
 *
 * @example
 * ```ts
 * const tabport = await createTabport()
 * const view = new WebContentsView({ webPreferences: { partition: tabport.partitionFor('workspace-a') } })
 * await tabport.attach(view.webContents, { route: { upstream: 'https://{port}-abc.preview.example' } })
 * await view.webContents.loadURL('http://localhost:3000')
 * ```
 *
 * @throws {@link TabportError} `ERR_TABPORT_INVALID_ARGUMENT`: an option is not what it should be; says which.
 * @throws `Error` as `ProxyServer.listen` does, for example `EADDRINUSE` or `ERR_TABPORT_NO_FREE_PORT`.
 * @throws `signal.reason` when the signal has aborted already.
 */
export async function createTabport(options: CreateTabportOptions = {}): Promise<Tabport> {
  const { partitionPrefix = DEFAULT_PARTITION_PREFIX, scope = 'all', signal, ...others } = checked(options)
  const { certificateVerifyProc: otherwise, ...listen } = others
  if (signal?.aborted) throw abortReason(signal)
  rememberHandlers()
  const sessions = new WeakMap<Session, ProxiedSession>()
  const upstreamProxy = upstreamProxyOf(listen.upstreamProxy, (session) => sessions.has(session))
  const server = await ProxyServer.listen(listenerOptions({ ...listen, upstreamProxy }))
  const listener = server.listenerCertificate()
  const endpoint = endpointOf(listen.host ?? DEFAULT_HOST, server.port(), listener !== null)
  const verification = { trusts: trustIn(server.certificateAuthority(), listener, endpoint), otherwise }
  const tabport = new RunningTabport(server, endpoint, scope, verification, sessions, partitionPrefix)
  if (!signal) return tabport
  if (signal.aborted) {
    await tabport.stop()
    throw abortReason(signal)
  }
  tabport.stopOn(signal)
  return tabport
}

class RunningTabport implements Tabport, RunningProxy {
  declare [Symbol.asyncDispose]: () => Promise<void>
  readonly wired = new Set<ProxiedSession>()
  private readonly cleanUps: Array<() => void> = []
  private stopping: Promise<void> | undefined

  constructor(
    readonly server: ProxyServer,
    readonly endpoint: Endpoint,
    readonly scope: Scope,
    readonly verification: Verification,
    private readonly sessions: WeakMap<Session, ProxiedSession>,
    private readonly partitionPrefix: string,
  ) {
    const onLogin = loginListener(endpoint, (session) => this.sessions.get(session)?.credentials)
    const onWillQuit = (): void => void this.stop()
    app.on('login', onLogin)
    app.on('will-quit', onWillQuit)
    this.cleanUps.push(
      () => app.removeListener('login', onLogin),
      () => app.removeListener('will-quit', onWillQuit),
    )
    if (asyncDispose) this[asyncDispose] = () => this.stop()
  }

  get port(): number {
    return this.server.port()
  }

  async attach(webContents: WebContents, options: AttachOptions = {}): Promise<Tab> {
    checkWebContents(webContents)
    const route = routeOf(options)
    await app.whenReady()
    if (webContents.isDestroyed()) throw destroyed()
    return this.sessionOf(webContents).attach(webContents, route)
  }

  partitionFor(key: string): string {
    return partitionFor(key, this.partitionPrefix)
  }

  stats(): ProxyStats {
    return this.server.stats()
  }

  isStopped(): boolean {
    return this.stopping !== undefined
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopOnce()
    return this.stopping
  }

  stopOn(signal: AbortSignalLike): void {
    const onAbort = (): void => void this.stop()
    signal.addEventListener('abort', onAbort)
    this.cleanUps.push(() => signal.removeEventListener('abort', onAbort))
  }

  /** Sessions first: somebody else could be given our port before Chromium has forgotten it. */
  private async stopOnce(): Promise<void> {
    for (const cleanUp of this.cleanUps) cleanUp()
    await Promise.allSettled(Array.from(this.wired, (session) => session.close()))
    await this.server.stop()
  }

  private sessionOf({ session }: WebContents): ProxiedSession {
    const proxied = this.sessions.get(session) ?? new ProxiedSession(session, this)
    this.sessions.set(session, proxied)
    return proxied
  }
}

function checked(options: CreateTabportOptions): CreateTabportOptions {
  if (typeof options !== 'object' || options === null) throw invalidArgument('options must be an object')
  const { partitionPrefix, scope, certificateVerifyProc, signal } = options
  if (partitionPrefix !== undefined && typeof partitionPrefix !== 'string') {
    throw invalidArgument('options.partitionPrefix must be a string')
  }
  if (scope !== undefined && scope !== 'all' && scope !== 'loopback') {
    throw invalidArgument("options.scope must be 'all' or 'loopback'")
  }
  if (certificateVerifyProc !== undefined && typeof certificateVerifyProc !== 'function') {
    throw invalidArgument('options.certificateVerifyProc must be a function')
  }
  if (signal !== undefined && typeof Object(signal).addEventListener !== 'function') {
    throw invalidArgument('options.signal must be an AbortSignal')
  }
  return options
}

/** Reads the route now, while the caller cannot change it, and complains where the session can be closed for it. */
function routeOf(options: AttachOptions): () => Route | undefined {
  try {
    const route = checkedRoute(options)
    return () => route
  } catch (error) {
    return () => {
      throw error
    }
  }
}

function checkedRoute(options: AttachOptions): Route | undefined {
  if (typeof options !== 'object' || options === null) throw invalidArgument('options must be an object')
  const { route, ...others } = options
  // Overlooking a misspelt route, or one passed in place of the options, would lead the tab to the user's own machine.
  const [stranger] = Object.keys(others)
  if (stranger !== undefined) throw invalidArgument(`options.${stranger} is not an option: the only one is route`)
  if (route === undefined) return undefined
  if (typeof route !== 'object' || route === null) throw invalidArgument('options.route must be an object')
  // A copy: the caller may reuse and change the object, and it is compared with later ones.
  return copied(route) as Route
}

/** Without the members that are `undefined`: they are the same as none. */
function copied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copied)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(members.map(([name, member]) => [name, copied(member)]))
}

function checkWebContents(webContents: WebContents): void {
  // A BrowserWindow and a view have an id and can be destroyed too; what they cannot do is run a script.
  if (typeof Object(webContents).executeJavaScript !== 'function') {
    throw invalidArgument('webContents must be a WebContents (of a window or a view, pass its .webContents)')
  }
}

function abortReason({ reason }: AbortSignalLike): unknown {
  return reason ?? Object.assign(new Error('The operation was aborted'), { name: 'AbortError' })
}
