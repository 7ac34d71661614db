/**
 * WebRTC is the one thing in a page that goes past a proxy: it sends UDP, to any address, the user's own machine
 * among them. Chromium can be told to do without where there is a proxy. It is told so of each `WebContents`, and of
 * every one in a session: the windows that pages open are their own, and nobody may have attached them.
 */
import { app, type Session, type WebContents, webContents } from 'electron'
import { type WebRtcPolicy, webRtcPolicyOf } from './compat'

const NO_UDP: WebRtcPolicy = 'disable_non_proxied_udp'

const sessions = new WeakSet<Session>()
/** What those kept from UDP had before. */
const before = new WeakMap<WebContents, WebRtcPolicy>()
let isWatching = false

/** Keeps all that is in a session from UDP, and all that comes into it. */
export function keepFromUdp(session: Session): void {
  sessions.add(session)
  watch()
  for (const contents of allIn(session)) restrict(contents)
}

export function giveUdpBack(session: Session): void {
  sessions.delete(session)
  for (const contents of allIn(session)) release(contents)
}

/** For good: a session is left closed by a proxy that stops, and its pages may still open windows. */
function watch(): void {
  if (isWatching) return
  isWatching = true
  app.on('web-contents-created', (_event, contents) => {
    if (sessions.has(contents.session)) restrict(contents)
  })
}

function allIn(session: Session): WebContents[] {
  return webContents.getAllWebContents().filter((each) => !each.isDestroyed() && each.session === session)
}

function restrict(contents: WebContents): void {
  if (!before.has(contents)) before.set(contents, webRtcPolicyOf(contents))
  contents.setWebRTCIPHandlingPolicy(NO_UDP)
}

function release(contents: WebContents): void {
  const policy = before.get(contents)
  if (policy) contents.setWebRTCIPHandlingPolicy(policy)
  before.delete(contents)
}
