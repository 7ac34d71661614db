/**
 * Says for which hosts the holder of a key has signed a certificate. `node:crypto` checks the signature, and before that
 * is right, nothing else in a certificate is looked at: anybody may have written it.
 */
import { createVerify, type KeyObject } from 'node:crypto'
import { type Element, elements } from './der'

/**
 * The names and addresses that a certificate is for, as hosts of URLs are spelt; none unless this key has signed it, by ECDSA
 * with SHA-256.
 */
export function hostsSignedBy(pem: string, key: KeyObject): string[] {
  const certificate = readCertificate(pem)
  if (!certificate?.algorithm.equals(ECDSA_WITH_SHA256)) return []
  const { signed, signature } = certificate
  const isSigned = createVerify('SHA256').update(signed.whole).verify(key, signature)
  return isSigned ? alternativeNames(signed.contents).map(hostOf) : []
}

/** The parts of RFC 5280's `Certificate`, section 4.1. */
interface SignedCertificate {
  readonly signed: Element
  /** The contents of `signatureAlgorithm`. */
  readonly algorithm: Buffer
  readonly signature: Buffer
}

const PEM = /^-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----\s*$/

const OCTET_STRING = 0x04
const SEQUENCE = 0x30
const BIT_STRING = 0x03

/** The object identifier 1.2.840.10045.4.3.2, without parameters (RFC 5758, section 3.2). */
const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex')

/** Takes one certificate in PEM; undefined for anything else. */
function readCertificate(pem: string): SignedCertificate | undefined {
  const [, base64 = ''] = PEM.exec(pem) ?? []
  const [outer, ...after] = elements(Buffer.from(base64, 'base64'))
  if (outer?.tag !== SEQUENCE || after.length > 0) return undefined
  const [signed, algorithm, signature, ...others] = elements(outer.contents)
  if (signed?.tag !== SEQUENCE || algorithm?.tag !== SEQUENCE || signature?.tag !== BIT_STRING) return undefined
  const [unusedBits] = signature.contents
  if (others.length > 0 || unusedBits !== 0) return undefined
  return { signed, algorithm: algorithm.contents, signature: signature.contents.subarray(1) }
}

/** RFC 5280, section 4.1: `[3] EXPLICIT Extensions`. */
const EXTENSIONS = 0xa3

/** The object identifier 2.5.29.17, section 4.2.1.6. */
const SUBJECT_ALTERNATIVE_NAME = Buffer.from('0603551d11', 'hex')

function alternativeNames(tbsCertificate: Buffer): Element[] {
  const extensions = elements(tbsCertificate).filter(({ tag }) => tag === EXTENSIONS)
  return extensions
    .flatMap(({ contents }) => elements(contents))
    .flatMap(({ contents }) => elements(contents))
    .map(({ contents }) => elements(contents))
    .filter(([identifier]) => identifier?.whole.equals(SUBJECT_ALTERNATIVE_NAME))
    .flatMap((extension) => extension.filter(({ tag }) => tag === OCTET_STRING))
    .flatMap(({ contents }) => elements(contents))
    .flatMap(({ contents }) => elements(contents))
}

const DNS_NAME = 0x82
const IP_ADDRESS = 0x87

function hostOf({ tag, contents }: Element): string {
  if (tag === DNS_NAME) return contents.toString('latin1')
  if (tag !== IP_ADDRESS) return ''
  // Of IPv6 addresses, only one is anybody's own machine.
  return contents.equals(LOOPBACK6) ? '::1' : contents.join('.')
}

const LOOPBACK6 = Buffer.concat([Buffer.alloc(15), Buffer.of(1)])
