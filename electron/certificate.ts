/**
 * Splits a certificate into what was signed and the signature, and checks the one against the other. `node:crypto` does
 * the mathematics; Electron 9's Node cannot read a certificate, so its outermost three elements are read here.
 *
 * Strictly: DER has one way to write a length, and nothing may stand before, between or after the elements. What is
 * inside the signed part stays unread; who needs it takes it from Chromium, which has read the same bytes.
 */
import { createVerify, type KeyObject } from 'node:crypto'

/** The parts of RFC 5280's `Certificate`, section 4.1. */
export interface SignedCertificate {
  /** The signed bytes: `tbsCertificate`, with its header. */
  readonly signed: Buffer
  /** The contents of `signatureAlgorithm`. */
  readonly algorithm: Buffer
  readonly signature: Buffer
}

/** Whether the holder of a key made this certificate, by ECDSA with SHA-256. Malformed ones were made by nobody. */
export function isSignedBy(pem: string, key: KeyObject): boolean {
  const certificate = readCertificate(pem)
  if (!certificate?.algorithm.equals(ECDSA_WITH_SHA256)) return false
  return createVerify('SHA256').update(certificate.signed).verify(key, certificate.signature)
}

/** Takes one certificate in PEM; undefined for anything else. */
export function readCertificate(pem: string): SignedCertificate | undefined {
  const [, base64] = PEM.exec(pem) ?? []
  if (base64 === undefined) return undefined
  const [outer, ...after] = elements(Buffer.from(base64, 'base64')) ?? []
  if (outer?.tag !== SEQUENCE || after.length > 0) return undefined
  const [signed, algorithm, signature, ...others] = elements(outer.contents) ?? []
  if (signed?.tag !== SEQUENCE || algorithm?.tag !== SEQUENCE || signature?.tag !== BIT_STRING) return undefined
  const [unusedBits] = signature.contents
  if (others.length > 0 || unusedBits !== 0) return undefined
  return { signed: signed.whole, algorithm: algorithm.contents, signature: signature.contents.subarray(1) }
}

const PEM = /^-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----\s*$/

const SEQUENCE = 0x30
const BIT_STRING = 0x03

/** The object identifier 1.2.840.10045.4.3.2, without parameters (RFC 5758, section 3.2). */
const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex')

interface Element {
  readonly tag: number
  readonly contents: Buffer
  /** The contents with their header. */
  readonly whole: Buffer
}

/** The elements that follow one another in these bytes; undefined where the last is not whole, or one is not DER. */
function elements(bytes: Buffer): Element[] | undefined {
  const found: Element[] = []
  let rest = bytes
  while (rest.length > 0) {
    const header = readHeader(rest)
    if (!header || header.end > rest.length) return undefined
    const whole = rest.subarray(0, header.end)
    found.push({ tag: header.tag, contents: whole.subarray(header.start), whole })
    rest = rest.subarray(header.end)
  }
  return found
}

/** Of lengths, those that X.690 section 10.1 allows, up to two bytes: no certificate of ours is larger. */
function readHeader(bytes: Buffer): { tag: number; start: number; end: number } | undefined {
  const [tag, first, second, third] = bytes
  if (tag === undefined || first === undefined) return undefined
  if (first < 0x80) return { tag, start: 2, end: 2 + first }
  if (first === 0x81 && second !== undefined && second >= 0x80) return { tag, start: 3, end: 3 + second }
  if (first !== 0x82 || second === undefined || third === undefined || second === 0) return undefined
  return { tag, start: 4, end: 4 + second * 0x100 + third }
}
