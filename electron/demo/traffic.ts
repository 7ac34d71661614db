/** What each tab has sent and received so far, from the proxy's events. */
import type { ProxyEvent, RequestEvent } from 'tabport'

export interface Counts {
  requests: number
  openSockets: number
  bytesUp: number
  bytesDown: number
}

export class Traffic {
  /** Called after every change. */
  onChange: () => void = () => {}
  private readonly byWebContents = new Map<number, Counts>()

  of(webContentsId: number): Counts {
    const counts = this.byWebContents.get(webContentsId) ?? { requests: 0, openSockets: 0, bytesUp: 0, bytesDown: 0 }
    this.byWebContents.set(webContentsId, counts)
    return counts
  }

  count(event: ProxyEvent): void {
    if (event.type !== 'request' && event.type !== 'tunnel') return
    if (event.type === 'request' && !isOfPage(event)) return
    const counts = this.of(event.webContentsId)
    if (event.type === 'request') counts.requests += 1
    else counts.openSockets += event.phase === 'opened' ? 1 : -1
    counts.bytesUp += event.bytesUp
    counts.bytesDown += event.bytesDown
    this.onChange()
  }
}

/** The priming of the session and the opening of a tunnel are requests to the proxy, not the page's own. */
function isOfPage({ method, authority }: RequestEvent): boolean {
  return method !== 'CONNECT' && authority !== 'tabport.invalid'
}
