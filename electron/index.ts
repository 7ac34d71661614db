/**
 * `tabport/electron`: gives every tab of an Electron app its own `localhost`.
 *
 * For the main process. Nothing happens on import; everything starts with {@link createTabport}.
 *
 * @module tabport/electron
 */

export type { TabportErrorCode } from './errors'
export { TabportError } from './errors'
export { partitionFor } from './partition'
export { createTabport } from './tabport'
export type { AbortSignalLike, AttachOptions, CreateTabportOptions, Route, Scope, Tab, Tabport } from './types'
