// What an attached session accepts, decided without Electron: requests have the form that Electron gives them.
import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { isLoopback } from '../../electron/loopback.ts'
import { trustIn } from '../../electron/trust.ts'
import { Authority, fingerprintOf, inDays, type LeafOptions } from '../support/authority.ts'

const NAME = 'tabport 5eedf00d'
const authority = new Authority(NAME)
const listener = new Authority('a listener').leaf('127.0.0.1')
const endpoint = { host: '127.0.0.1', port: 39_385, secure: true }
const pinned = { pem: listener.cert, fingerprint: fingerprintOf(listener.cert) }
const trusts = trustIn(authority, pinned, endpoint)

const AUTHORITY_INVALID = { errorCode: -202, verificationResult: 'net::ERR_CERT_AUTHORITY_INVALID' }

/** What Electron says about a server's certificate. */
function requestFor(hostname: string, cert: string, verdict: object = AUTHORITY_INVALID) {
  const { subject, validFrom, validTo } = new X509Certificate(cert)
  const certificate = {
    data: cert,
    fingerprint: fingerprintOf(cert),
    subject: { commonName: subject.replace('CN=', '') },
    validStart: Date.parse(validFrom) / 1_000,
    validExpiry: Date.parse(validTo) / 1_000,
  }
  return { hostname, certificate, validatedCertificate: certificate, ...verdict } as never
}

const trustsLeaf = (hostname: string, host: string, options?: LeafOptions, from = authority): boolean =>
  trusts(requestFor(hostname, from.leaf(host, options).cert))

describe('a leaf of the authority', () => {
  test.each(['localhost', 'app.localhost', 'a.b.localhost', '127.0.0.1', '127.18.0.5', '::1'])(
    'is trusted for its host, %s',
    (host) => expect(trustsLeaf(host, host)).toBe(true),
  )

  test.each([
    ['localhost.', 'localhost'],
    ['LOCALHOST', 'localhost'],
    ['App.Localhost.', 'app.localhost'],
    ['[::1]', '::1'],
  ])('is trusted for %s, which is %s', (hostname, host) => expect(trustsLeaf(hostname, host)).toBe(true))

  test.each([
    ['localhost', 'app.localhost'],
    ['app.localhost', 'localhost'],
    ['127.0.0.1', 'localhost'],
    ['127.0.0.1', '127.0.0.2'],
    ['::1', '127.0.0.1'],
  ])('is not trusted for %s when it was made for %s', (hostname, host) => {
    expect(trustsLeaf(hostname, host)).toBe(false)
    expect(trustsLeaf(hostname, host, { commonName: hostname })).toBe(false)
  })

  test.each(['example.com', 'localhost.evil.test', '127.evil.com', '127.0.0.1.evil.test', 'evillocalhost', '10.0.0.1'])(
    'is not trusted for a host that is not loopback, %s',
    (host) => expect(trustsLeaf(host, host)).toBe(false),
  )

  test('is not trusted before and after its time', () => {
    expect(trustsLeaf('localhost', 'localhost', { validFrom: inDays(1) })).toBe(false)
    expect(trustsLeaf('localhost', 'localhost', { validTo: inDays(-0.5) })).toBe(false)
  })

  test.each([
    ['a wrong name', -200],
    ['a wrong date', -201],
    ['a revocation', -206],
    ['an invalid certificate', -207],
    ['a violated name constraint', -212],
    ['nothing', 0],
  ])('is left to Chromium where it objects to %s', (_, errorCode) => {
    expect(trusts(requestFor('localhost', authority.leaf('localhost').cert, { errorCode }))).toBe(false)
  })
})

describe('a certificate of somebody else', () => {
  test('is not trusted for having our issuer name', () => {
    expect(trustsLeaf('localhost', 'localhost', {}, new Authority(NAME))).toBe(false)
  })

  test('is not trusted for naming our authority, and sending it along', () => {
    const forger = new Authority('somebody')
    const { cert } = forger.leaf('localhost', { issuer: NAME })
    const request = requestFor('localhost', cert) as { certificate: object }
    Object.assign(request.certificate, { issuerName: NAME, issuerCert: { data: authority.pem } })
    expect(trusts(request as never)).toBe(false)
  })

  test('is not trusted when it is no certificate', () => {
    const request = requestFor('localhost', authority.leaf('localhost').cert) as { certificate: { data: string } }
    request.certificate.data = 'no certificate'
    expect(trusts(request as never)).toBe(false)
  })
})

test('the authority itself is not a server', () => {
  expect(trusts(requestFor('localhost', authority.pem))).toBe(false)
})

describe('the listener', () => {
  test('is trusted by its fingerprint, at its own address', () => {
    expect(trusts(requestFor('127.0.0.1', listener.cert))).toBe(true)
    expect(trusts(requestFor('127.0.0.2', listener.cert))).toBe(false)
    expect(trusts(requestFor('localhost', listener.cert))).toBe(false)
  })

  test('is left to Chromium where it objects to anything else', () => {
    expect(trusts(requestFor('127.0.0.1', listener.cert, { errorCode: -201 }))).toBe(false)
  })

  test('is not another certificate of the same name', () => {
    expect(trusts(requestFor('127.0.0.1', new Authority('a listener').leaf('127.0.0.1').cert))).toBe(false)
  })

  test('is nobody where the proxy speaks no TLS', () => {
    const plain = trustIn(authority, null, { ...endpoint, secure: false })
    expect(plain(requestFor('127.0.0.1', listener.cert))).toBe(false)
  })
})

test.each<[string, boolean]>([
  ['localhost', true],
  ['x.localhost.', true],
  ['127.255.255.255', true],
  ['[::1]', true],
  ['', false],
  ['.localhost', false],
  ['a..localhost', false],
  ['localhost..', false],
  ['localhost.example', false],
  ['127.1', false],
  ['127.0.0.256', false],
  ['128.0.0.1', false],
  ['::2', false],
  ['::ffff:127.0.0.1', false],
])('whether %j is loopback: %s', (host, expected) => expect(isLoopback(host)).toBe(expected))
