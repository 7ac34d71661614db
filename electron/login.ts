/**
 * Answers the proxy's challenge, and only that one: our host, our port, our realm, for a session we wired.
 * Anything else is left untouched for the app's own `login` handlers.
 */
import type { AuthenticationResponseDetails, AuthInfo, Event, Session, WebContents } from 'electron'
import { isRepeatedAttempt } from './compat'
import { type Endpoint, withoutBrackets } from './endpoint'

export const REALM = 'tabport'

export interface Credentials {
  readonly username: string
  readonly password: string
}

/** Finds the credentials of a session: Chromium keeps them per session, so they cannot depend on the tab. */
export type CredentialsOf = (session: Session) => Credentials | undefined

export type LoginListener = (
  event: Event,
  webContents: WebContents | null | undefined,
  details: AuthenticationResponseDetails,
  authInfo: AuthInfo,
  callback: (username?: string, password?: string) => void,
) => void

/** Builds the listener for the app's `login` event. */
export function loginListener(endpoint: Endpoint, credentialsOf: CredentialsOf): LoginListener {
  const attempts = new Attempts()
  return (event, webContents, details, authInfo, callback) => {
    if (event.defaultPrevented || !isOurChallenge(authInfo, endpoint)) return
    // Service workers and the net module have no WebContents; the cache filled by priming serves them.
    if (!webContents || webContents.isDestroyed()) return
    const credentials = credentialsOf(webContents.session)
    if (!credentials || !attempts.mayAnswer(webContents, details)) return
    event.preventDefault()
    callback(credentials.username, credentials.password)
  }
}

/** Whether a challenge comes from the proxy at this endpoint. */
export function isOurChallenge(authInfo: AuthInfo, endpoint: Endpoint): boolean {
  return (
    authInfo.isProxy &&
    withoutBrackets(authInfo.host) === endpoint.host &&
    authInfo.port === endpoint.port &&
    authInfo.realm === REALM
  )
}

/**
 * Chromium asks again, without end, for as long as it is given credentials that are refused. One answer for each
 * request is enough: ours are right, or the context is gone and nothing will make them right.
 */
class Attempts {
  private static readonly MAX_PER_URL = 3
  private readonly answered = new WeakMap<WebContents, Map<string, number>>()

  mayAnswer(webContents: WebContents, details: AuthenticationResponseDetails): boolean {
    const repeated = isRepeatedAttempt(details)
    return repeated === undefined ? this.count(webContents, details.url) <= Attempts.MAX_PER_URL : !repeated
  }

  private count(webContents: WebContents, url: string): number {
    const counts = this.answered.get(webContents) ?? new Map<string, number>()
    const count = (counts.get(url) ?? 0) + 1
    this.answered.set(webContents, counts.set(url, count))
    return count
  }
}
