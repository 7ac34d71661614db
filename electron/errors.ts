/** Why a call into `tabport/electron` failed. */
export type TabportErrorCode =
  | 'ERR_TABPORT_DESTROYED'
  | 'ERR_TABPORT_INVALID_ARGUMENT'
  | 'ERR_TABPORT_SESSION_IN_USE'
  | 'ERR_TABPORT_STOPPED'
  | 'ERR_TABPORT_WIRING'

/** An `Error` with a stable `code`, and a `cause` where another error led to it. */
export class TabportError extends Error {
  /** What failed, the same in every release. */
  readonly code: TabportErrorCode
  /** The error that led to it, if there is one. */
  override readonly cause?: unknown

  /** Made by this module alone. */
  constructor(code: TabportErrorCode, message: string, cause?: unknown) {
    super(message)
    this.name = 'TabportError'
    this.code = code
    this.cause = cause
  }
}

export const invalidArgument = (message: string): TabportError =>
  new TabportError('ERR_TABPORT_INVALID_ARGUMENT', message)

export const stopped = (): TabportError => new TabportError('ERR_TABPORT_STOPPED', 'this tabport has stopped')

export const destroyed = (): TabportError =>
  new TabportError('ERR_TABPORT_DESTROYED', 'the WebContents is destroyed: there is nothing to attach')

export const anotherRoute = (): TabportError =>
  new TabportError(
    'ERR_TABPORT_SESSION_IN_USE',
    'this session is attached with another route. Chromium keeps proxy credentials per session, so tabs with ' +
      'different routes need a partition each: create the view with `partition: tabport.partitionFor(key)`',
  )

export const anotherTabport = (): TabportError =>
  new TabportError(
    'ERR_TABPORT_SESSION_IN_USE',
    'this session is attached to another tabport of this app, and a session has one proxy',
  )

/** Runs one step of the wiring; a failure says which step it was. */
export async function wiringStep<T>(step: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (cause instanceof TabportError) throw cause
    throw wiringFailed(`${step}: ${messageOf(cause)}`, cause)
  }
}

export const wiringFailed = (reason: string, cause?: unknown): TabportError =>
  new TabportError('ERR_TABPORT_WIRING', `could not wire the session to the proxy: ${reason}`, cause)

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
