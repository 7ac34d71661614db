/** A certificate authority for tests: makes certificates with any name, date and signer, right or wrong. */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'

export interface Leaf {
  /** The leaf alone, and its key, both PEM. */
  readonly cert: string
  readonly key: string
  /** The leaf and its authority's certificate, as a server sends them. */
  readonly chain: string
}

export interface LeafOptions {
  /** The name that it says is the authority's, though another key signs. */
  issuer?: string
  commonName?: string
  validFrom?: Date
  validTo?: Date
}

const DAY_MS = 86_400_000

export class Authority {
  readonly pem: string

  constructor(
    readonly name: string,
    private readonly key: KeyObject = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ) {
    const basicConstraints = extension('551d13', sequence(tlv(0x01, Buffer.of(0xff))), true)
    this.pem = this.issue(this.key, name, name, new Date(Date.now() - DAY_MS), inDays(30), [basicConstraints])
  }

  get fingerprint(): string {
    return fingerprintOf(this.pem)
  }

  /** A certificate for one host, an IP address or a name. */
  leaf(host: string, options: LeafOptions = {}): Leaf {
    const { issuer = this.name, commonName = host, validFrom = inDays(-1), validTo = inDays(30) } = options
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const serverAuth = extension('551d25', sequence(tlv(OID, Buffer.from('2b06010505070301', 'hex'))))
    const names = extension('551d11', sequence(subjectAlternativeName(host)))
    const cert = this.issue(privateKey, commonName, issuer, validFrom, validTo, [serverAuth, names])
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    return { cert, key, chain: cert + this.pem }
  }

  private issue(
    subjectKey: KeyObject,
    subject: string,
    issuer: string,
    from: Date,
    to: Date,
    extensions: Buffer[],
  ): string {
    const version3 = tlv(0xa0, tlv(INTEGER, Buffer.of(2)))
    const serial = tlv(INTEGER, Buffer.of(1))
    const spki = createPublicKey(subjectKey).export({ type: 'spki', format: 'der' })
    const fields = [
      version3,
      serial,
      ECDSA_WITH_SHA256,
      name(issuer),
      sequence(time(from), time(to)),
      name(subject),
      spki,
    ]
    const tbs = sequence(...fields, tlv(0xa3, sequence(...extensions)))
    const signature = tlv(BIT_STRING, Buffer.concat([Buffer.of(0), sign('SHA256', tbs, this.key)]))
    return toPem(sequence(tbs, ECDSA_WITH_SHA256, signature))
  }
}

/** The name of a certificate's subject, given in PEM: what an {@link Authority} of somebody else's has to claim. */
export const nameOf = (pem: string): string => new X509Certificate(pem).subject.replace('CN=', '')

/** In the form in which Electron has it. */
export const fingerprintOf = (pem: string): string =>
  `sha256/${createHash('sha256').update(new X509Certificate(pem).raw).digest('base64')}`

export const inDays = (days: number): Date => new Date(Date.now() + days * DAY_MS)

export const toPem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`

const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OID = 0x06
const UTF8_STRING = 0x0c
const UTC_TIME = 0x17

/** One element of DER, of up to 65535 bytes. */
export function tlv(tag: number, contents: Buffer): Buffer {
  const { length } = contents
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), contents])
}

export const sequence = (...elements: Buffer[]): Buffer => tlv(0x30, Buffer.concat(elements))

const ECDSA_WITH_SHA256 = sequence(tlv(OID, Buffer.from('2a8648ce3d040302', 'hex')))

const name = (commonName: string): Buffer =>
  sequence(tlv(0x31, sequence(tlv(OID, Buffer.from('550403', 'hex')), tlv(UTF8_STRING, Buffer.from(commonName)))))

const time = (date: Date): Buffer =>
  tlv(UTC_TIME, Buffer.from(`${date.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`))

function extension(oid: string, value: Buffer, critical = false): Buffer {
  const mark = critical ? [tlv(0x01, Buffer.of(0xff))] : []
  return sequence(tlv(OID, Buffer.from(oid, 'hex')), ...mark, tlv(OCTET_STRING, value))
}

function subjectAlternativeName(host: string): Buffer {
  if (isIP(host) === 0) return tlv(0x82, Buffer.from(host))
  return tlv(
    0x87,
    host === '::1' ? Buffer.concat([Buffer.alloc(15), Buffer.of(1)]) : Buffer.from(host.split('.').map(Number)),
  )
}
