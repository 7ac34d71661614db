// What an app may tell `createTabport`.
import type { ProxyEvent } from 'tabport'
import { createTabport } from 'tabport/electron'

export const behindTheSystemsProxy = () => createTabport({ upstreamProxy: 'system' })

export const forLoopbackOnly = () => createTabport({ scope: 'loopback' })

/** With a handler of the app's own for all certificates but tabport's. */
export const withPinnedCertificates = (fingerprints: Set<string>) =>
  createTabport({
    certificateVerifyProc: ({ certificate }, callback) => callback(fingerprints.has(certificate.fingerprint) ? 0 : -3),
  })

export const withReports = (report: (line: string) => void) =>
  createTabport({
    onEvent: (event: ProxyEvent) => {
      if (event.type === 'error') report(`${event.authority}: ${event.code}, ${event.message}`)
    },
  })
