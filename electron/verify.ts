/**
 * Shares a session's certificate handler with the app. A session has one, and Electron does not tell which; so from
 * `createTabport` on, what the app sets is remembered, and asked whenever we have nothing to say.
 *
 * Only the call is taken over, on each session by itself, and only in an attached session does it do more than pass on.
 */
import { app, type Session, session } from 'electron'

/** What `session.setCertificateVerifyProc` takes. */
export type CertificateVerifyProc = NonNullable<Parameters<Session['setCertificateVerifyProc']>[0]>

export type VerifyRequest = Parameters<CertificateVerifyProc>[0]

/** What an attached session accepts, and whom to ask about the rest where the app has set no handler that we know of. */
export interface Verification {
  readonly trusts: (request: VerifyRequest) => boolean
  readonly otherwise: CertificateVerifyProc | undefined
}

const ACCEPTED = 0
const CHROMIUMS_VERDICT = -3

const handlers = new WeakMap<Session, SharedHandler>()

/** Remembers from now on which handlers the app sets in the default session and in those that it is yet to create. */
export function rememberHandlers(): void {
  if (remembering) return
  remembering = true
  app.on('session-created', handlerOf)
  if (app.isReady()) handlerOf(session.defaultSession)
}

let remembering = false

/** Puts our handler before the app's, until {@link giveHandlerBack}. */
export function shareHandler(session: Session, verification: Verification): void {
  handlerOf(session).attach(verification)
}

/**
 * Leaves everything to what the app has set, or else to Chromium, which still knows what we said of certificates that it has
 * seen in this session.
 */
export function giveHandlerBack(session: Session): void {
  handlerOf(session).detach()
}

function handlerOf(session: Session): SharedHandler {
  const known = handlers.get(session)
  if (known) return known
  const set = session.setCertificateVerifyProc.bind(session)
  const handler = new SharedHandler(set)
  session.setCertificateVerifyProc = (proc) => handler.setApps(proc)
  handlers.set(session, handler)
  return handler
}

class SharedHandler {
  /** Undefined as long as the app has set none while we looked. */
  private apps: CertificateVerifyProc | null | undefined
  private verification: Verification | undefined
  private attached = false

  constructor(private readonly set: Session['setCertificateVerifyProc']) {}

  setApps(proc: CertificateVerifyProc | null): void {
    // What is neither, Electron refuses with an error of its own, and nothing has changed then.
    const valid = proc === null || typeof proc === 'function'
    if (this.attached && valid) this.install()
    else this.set(proc)
    this.apps = proc
  }

  attach(verification: Verification): void {
    this.verification = verification
    this.attached = true
    this.install()
  }

  /** Leaves our handler in place, to pass on: in Electron 9, setting one breaks off connections of every session. */
  detach(): void {
    this.attached = false
  }

  /** Chromium keeps what a handler has answered, and forgets it for a new one only. */
  private install(): void {
    this.set((request, callback) => {
      if (this.attached && this.verification?.trusts(request)) return callback(ACCEPTED)
      const next = this.apps === undefined ? this.verification?.otherwise : this.apps
      return next ? next(request, callback) : callback(CHROMIUMS_VERDICT)
    })
  }
}
