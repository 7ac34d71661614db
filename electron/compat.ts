/**
 * What differs between Electron 9 and today's, in one place. Types come from today's Electron; each function here
 * says which version it makes up for.
 */
import type { AuthenticationResponseDetails, IncomingMessage, Session, WebContents } from 'electron'

/** `Symbol.asyncDispose` came with Node 18.18 (Electron 28); before that there is nothing to hang a disposer on. */
export const asyncDispose: typeof Symbol.asyncDispose | undefined = Symbol.asyncDispose

/**
 * Closes connections that were opened under earlier proxy settings. Electron 9 has no such call: there, only a
 * page loaded before `attach` could still hold one, and ending a context cuts the proxied ones anyway.
 */
export async function closeAllConnections(session: Session): Promise<void> {
  const close: Session['closeAllConnections'] | undefined = session.closeAllConnections
  if (close) await close.call(session)
}

/**
 * Chromium 86 still refuses `ws:` through an HTTP/2 proxy with ERR_NOT_IMPLEMENTED (https://crbug.com/684681). The
 * earliest source in which we have seen the refusal gone is from 2023, so that 114 (Electron 25) is on the safe side. A version
 * is asked because a probe would take a page, a proxy and a WebSocket before the first tab could be attached.
 */
export const opensWebSocketsOverHttp2Proxy = (): boolean => chromium() >= 114

const chromium = (): number => Number.parseInt(process.versions.chrome ?? '', 10)

/**
 * Whether connections may be given up while a certificate handler is being asked about them. Before Electron 18 (Chromium
 * 100; 15 to 17 have it in later versions) that can crash the network service (electron/electron#33204). It is what happens to
 * the others when the first of several agrees on HTTP/2.
 */
export const survivesGivenUpVerification = (): boolean => chromium() >= 100

export type WebRtcPolicy = Parameters<WebContents['setWebRTCIPHandlingPolicy']>[0]

/** Electron 9 gives an empty string for a policy that was never set. */
export function webRtcPolicyOf(webContents: WebContents): WebRtcPolicy {
  return (webContents.getWebRTCIPHandlingPolicy() || 'default') as WebRtcPolicy
}

/** Electron gives a header as a string or as a list of strings, depending on the version and on the header. */
export function headerOf(response: IncomingMessage, name: string): string | undefined {
  const value: string | string[] | undefined = response.headers[name]
  return Array.isArray(value) ? value[0] : value
}

/**
 * Whether one request is asking for credentials again, having been refused with the ones it was given.
 * Electron has always set `firstAuthAttempt`, but never documented it; where it is missing the answer is undefined.
 */
export function isRepeatedAttempt(details: AuthenticationResponseDetails): boolean | undefined {
  const { firstAuthAttempt } = details as AuthenticationResponseDetails & { firstAuthAttempt?: boolean }
  return firstAuthAttempt === undefined ? undefined : !firstAuthAttempt
}
