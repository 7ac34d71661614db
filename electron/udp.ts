/**
 * WebRTC is the one thing in a page that goes past a proxy: it sends UDP, to any address, the user's own machine
 * among them. Chromium can be told to do without where there is a proxy; the setting is of each `WebContents`.
 */
import type { WebContents } from 'electron'
import { type WebRtcPolicy, webRtcPolicyOf } from './compat'

const NO_UDP: WebRtcPolicy = 'disable_non_proxied_udp'

/** What those kept from UDP had before. */
const before = new WeakMap<WebContents, WebRtcPolicy>()

export function keepFromUdp(webContents: WebContents): void {
  if (webContents.isDestroyed()) return
  if (!before.has(webContents)) before.set(webContents, webRtcPolicyOf(webContents))
  webContents.setWebRTCIPHandlingPolicy(NO_UDP)
}

export function giveUdpBack(webContents: WebContents): void {
  const policy = before.get(webContents)
  if (policy && !webContents.isDestroyed()) webContents.setWebRTCIPHandlingPolicy(policy)
  before.delete(webContents)
}
