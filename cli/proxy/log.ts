// One line an event, on standard error, for `--verbose`. Events carry no credential, no field and no query string.
import type { ProxyEvent } from 'tabport'

/** The line of an event; nothing for those that tell a reader nothing. `routes` names contexts by their id. */
export function lineOf(event: ProxyEvent, routes: ReadonlyMap<string, string>): string | undefined {
  const route = 'contextId' in event && event.contextId ? (routes.get(event.contextId) ?? '') : ''
  switch (event.type) {
    case 'request':
      return `${route} ${event.method} ${event.authority}${event.path} ${event.status} ${Math.round(event.durationMs)} ms${event.outcome === 'aborted' ? ' aborted' : ''}`
    case 'tunnel':
      return event.phase === 'opened' ? `${route} ${event.kind} ${event.authority}` : undefined
    case 'error':
      return `${route} ${event.authority ?? ''} ${event.code}: ${event.message}`.trim()
    case 'connection':
      return undefined
  }
}
