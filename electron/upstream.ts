/**
 * Where the proxy itself gets its way to the world: `upstreamProxy: 'system'` is answered by Chromium, which knows the
 * system's settings, their PAC scripts and their exceptions.
 */
import { app, type Session, session } from 'electron'
import type { ListenOptions } from 'tabport'

export const SYSTEM = 'system'

/** Has the system's settings whatever the app does to the default session; in memory, and never used for a page. */
const UNTOUCHED_PARTITION = 'tabport-system-proxy'

/**
 * @param isOurs - Whether a session is wired to the proxy that asks: such a one would only name that proxy.
 */
export function upstreamProxyOf(
  option: ListenOptions['upstreamProxy'],
  isOurs: (session: Session) => boolean,
): ListenOptions['upstreamProxy'] {
  if (option !== SYSTEM) return option
  return async (url) => {
    await app.whenReady()
    const { defaultSession } = session
    const asked = isOurs(defaultSession) ? session.fromPartition(UNTOUCHED_PARTITION) : defaultSession
    return asked.resolveProxy(url)
  }
}
