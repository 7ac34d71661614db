/**
 * One Electron session and the tabs attached in it. A session has one proxy setting and one credential cache, so it
 * has one context, shared by its tabs and released by the last.
 *
 * Everything that awaits runs in one queue per session: an attach that meets another attach, a detach or a destroyed
 * tab in mid-air sees the session before or after it, never halfway.
 */

import { isDeepStrictEqual } from 'node:util'
import type { ProxyConfig, Session, WebContents } from 'electron'
import type { ProxyContextInfo, ProxyServer } from 'tabport'
import { closeAllConnections } from './compat'
import { closedProxy, type Endpoint, systemProxy } from './endpoint'
import { anotherRoute, anotherTabport, destroyed, stopped } from './errors'
import type { Credentials } from './login'
import type { Route, Scope, Tab } from './types'
import { giveUdpBack, keepFromUdp } from './udp'
import { giveHandlerBack, shareHandler, type Verification } from './verify'
import { wire } from './wire'

/** What sessions need to know of the running proxy. */
export interface RunningProxy {
  readonly server: ProxyServer
  readonly endpoint: Endpoint
  readonly scope: Scope
  readonly verification: Verification
  /** The sessions that hold a context: those that a stop has to close. */
  readonly wired: Set<ProxiedSession>
  isStopped(): boolean
}

interface Wiring {
  readonly context: ProxyContextInfo
  readonly route: Route | undefined
}

/** Which of the app's proxies a session belongs to: two of them would take it from each other. */
const owners = new WeakMap<Session, ProxiedSession>()

export class ProxiedSession {
  private readonly tabs = new Map<WebContents, Tab>()
  private wiring: Wiring | undefined
  private queue: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly session: Session,
    private readonly proxy: RunningProxy,
  ) {}

  /** What the proxy should be told when it asks who this session is. */
  get credentials(): Credentials | undefined {
    return this.wiring?.context
  }

  /** @param readRoute - Throws when there is no telling which route is meant. */
  attach(webContents: WebContents, readRoute: () => Route | undefined): Promise<Tab> {
    return this.enqueue(async () => {
      if (this.isOfAnother()) throw anotherTabport()
      try {
        return await this.add(webContents, readRoute())
      } catch (error) {
        if (this.tabs.size === 0) await this.refuse()
        throw error
      }
    })
  }

  /** Ends the context at once, then leaves the session on a proxy that does not answer. */
  async close(): Promise<void> {
    this.releaseContext()
    await this.leaveOn(closedProxy()).catch(() => {
      // The session went down with its app; there is no page left to protect.
    })
  }

  /** A stop has closed it already, and the app may have taken the session back since. */
  private async closeIfOurs(): Promise<void> {
    if (this.wiring) await this.close()
  }

  private isOfAnother(): boolean {
    return (owners.get(this.session) ?? this) !== this
  }

  private async add(webContents: WebContents, route: Route | undefined): Promise<Tab> {
    if (this.wiring && !isDeepStrictEqual(route, this.wiring.route)) throw anotherRoute()
    const stillWanted = (): void => {
      if (this.proxy.isStopped()) throw stopped()
      if (webContents.isDestroyed()) throw destroyed()
    }
    stillWanted()
    const tab = this.tabs.get(webContents)
    if (tab) return tab
    const { context } = this.wiring ?? (await this.open(webContents.id, route, stillWanted))
    return this.hold(webContents, context.id)
  }

  private async refuse(): Promise<void> {
    keepFromUdp(this.session)
    await this.close()
  }

  private async open(webContentsId: number, route: Route | undefined, stillWanted: () => void): Promise<Wiring> {
    const context = this.proxy.server.createContext(webContentsId, route)
    this.wiring = { context, route }
    this.proxy.wired.add(this)
    owners.set(this.session, this)
    if (route) keepFromUdp(this.session)
    else giveUdpBack(this.session)
    // Before the first byte goes to a listener that may speak TLS. Without a route the proxy looks into no other TLS.
    if (route || this.proxy.endpoint.secure) shareHandler(this.session, this.proxy.verification)
    await wire(this.session, this.proxy.endpoint, this.proxy.scope, context, stillWanted)
    return this.wiring
  }

  private hold(webContents: WebContents, contextId: string): Tab {
    const gone = (): void => void this.enqueue(() => this.drop(webContents, tab, () => this.closeIfOurs()))
    const giveBack = async (): Promise<void> => {
      this.releaseContext()
      await this.leaveOn(systemProxy())
      giveUdpBack(this.session)
    }
    const tab: Tab = {
      contextId,
      detach: () => {
        if (!webContents.isDestroyed()) webContents.removeListener('destroyed', gone)
        return this.enqueue(() => this.drop(webContents, tab, giveBack))
      },
    }
    webContents.once('destroyed', gone)
    this.tabs.set(webContents, tab)
    return tab
  }

  private async drop(webContents: WebContents, tab: Tab, whenLast: () => Promise<void>): Promise<void> {
    if (this.tabs.get(webContents) !== tab) return
    this.tabs.delete(webContents)
    if (!this.isOfAnother() && this.tabs.size === 0) await whenLast()
  }

  private releaseContext(): void {
    if (!this.wiring) return
    const { id } = this.wiring.context
    this.wiring = undefined
    this.proxy.wired.delete(this)
    owners.delete(this.session)
    giveHandlerBack(this.session)
    try {
      this.proxy.server.releaseContext(id)
    } catch {
      // It is gone already, and what comes next, closing the session or giving it back, must come.
    }
  }

  private async leaveOn(config: ProxyConfig): Promise<void> {
    await this.session.setProxy(config)
    await closeAllConnections(this.session)
  }

  private enqueue<T>(run: () => Promise<T>): Promise<T> {
    const result = this.queue.then(run)
    this.queue = result.catch(() => undefined)
    return result
  }
}
