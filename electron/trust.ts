/**
 * Which certificates an attached session accepts although Chromium knows nobody who vouches for them: leaves that the
 * proxy's own authority signed for a loopback name, and the very certificate that the proxy's listener shows.
 *
 * What counts is the authority's key. Anybody can make a certificate that names it as its issuer, and send the
 * authority's own along with it; nobody else can sign one.
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Certificate } from 'tabport'
import { hostsSignedBy } from './certificate'
import type { Endpoint } from './endpoint'
import { canonicalHost, isLoopback } from './loopback'
import type { VerifyRequest } from './verify'

/** `net::ERR_CERT_AUTHORITY_INVALID`, the one objection of Chromium's that we may know better about. */
const AUTHORITY_INVALID = -202

export type Trusts = (request: VerifyRequest) => boolean

export function trustIn(authority: Certificate, listener: Certificate | null, endpoint: Endpoint): Trusts {
  const key = createPublicKey(authority.pem)
  return (request) => request.errorCode === AUTHORITY_INVALID && (isLeaf(request, key) || isListener(request))

  function isListener({ hostname, certificate }: VerifyRequest): boolean {
    if (!listener || canonicalHost(hostname) !== endpoint.host) return false
    return certificate.fingerprint === listener.fingerprint
  }
}

/**
 * Chromium reports the worst it has found, and an unknown authority hides a wrong name and a wrong date: so both are
 * looked at here.
 */
function isLeaf({ hostname, certificate }: VerifyRequest, key: KeyObject): boolean {
  const now = Date.now() / 1_000
  if (!isLoopback(hostname) || now < certificate.validStart || now > certificate.validExpiry) return false
  return hostsSignedBy(certificate.data, key).includes(canonicalHost(hostname))
}
