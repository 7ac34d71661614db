import { createPublicKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { isSignedBy, readCertificate } from '../../electron/certificate.ts'
import { Authority, sequence, tlv, toPem } from './harness/authority.ts'

const authority = new Authority('tabport 0badcafe')
const { cert } = authority.leaf('localhost')
const key = createPublicKey(authority.pem)
const der = Buffer.from(cert.replace(/-----.*-----/g, ''), 'base64')

test('a certificate is split into what was signed, how, and the signature', () => {
  const { signed, algorithm, signature } = readCertificate(cert)!
  expect(sequence(signed, tlv(0x30, algorithm), tlv(0x03, Buffer.concat([Buffer.of(0), signature])))).toEqual(der)
})

test('is signed by the one key, and by no other', () => {
  expect(isSignedBy(cert, key)).toBe(true)
  expect(isSignedBy(authority.pem, key)).toBe(true)
  expect(isSignedBy(cert, createPublicKey(new Authority('tabport 0badcafe').pem))).toBe(false)
  expect(isSignedBy(cert, createPublicKey(cert))).toBe(false)
})

test('is signed by nobody once a bit of it has changed', () => {
  for (let at = 4; at < der.length; at += 7) {
    const changed = Buffer.from(der)
    changed[at]! ^= 0x10
    expect(isSignedBy(toPem(changed), key), `byte ${at}`).toBe(false)
  }
})

test('is signed by nobody where it names another algorithm', () => {
  const { signed, algorithm, signature } = readCertificate(cert)!
  const sha384 = Buffer.from(algorithm)
  sha384[sha384.length - 1]! += 1
  const bits = tlv(0x03, Buffer.concat([Buffer.of(0), signature]))
  expect(isSignedBy(toPem(sequence(signed, tlv(0x30, algorithm), bits)), key)).toBe(true)
  expect(isSignedBy(toPem(sequence(signed, tlv(0x30, sha384), bits)), key)).toBe(false)
})

describe('is not a certificate:', () => {
  const parts = readCertificate(cert)!
  const algorithm = tlv(0x30, parts.algorithm)
  const bits = (unused: number) => tlv(0x03, Buffer.concat([Buffer.of(unused), parts.signature]))
  const longForm = Buffer.concat([Buffer.of(0x30, 0x81, 0x02), Buffer.of(0x05, 0x00)])
  const indefinite = Buffer.concat([Buffer.of(0x30, 0x80), der.subarray(4), Buffer.of(0, 0)])
  const leadingZero = Buffer.concat([Buffer.of(0x30, 0x82, 0x00, 0x85), Buffer.alloc(0x85)])
  const threeBytes = Buffer.concat([Buffer.of(0x30, 0x83, 0x00), der.subarray(2)])

  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['a tag', Buffer.of(0x30)],
    ['a length without its bytes', Buffer.of(0x30, 0x82, 0x01)],
    ['an empty sequence', sequence()],
    ['another tag', tlv(0x31, der.subarray(4))],
    ['one byte more', Buffer.concat([der, Buffer.of(0)])],
    ['two certificates', Buffer.concat([der, der])],
    ['no signature', sequence(parts.signed, algorithm)],
    ['a fourth element', sequence(parts.signed, algorithm, bits(0), tlv(0x05, Buffer.alloc(0)))],
    ['elements in another order', sequence(algorithm, bits(0), parts.signed)],
    ['a signature of another type', sequence(parts.signed, algorithm, tlv(0x04, parts.signature))],
    ['a signature with unused bits', sequence(parts.signed, algorithm, bits(1))],
    ['a signature without contents', sequence(parts.signed, algorithm, tlv(0x03, Buffer.alloc(0)))],
    ['a long form for a short length', longForm],
    ['a length with a leading zero', leadingZero],
    ['a length in three bytes', threeBytes],
    ['an indefinite length', indefinite],
  ])('%s', (_, bytes) => {
    expect(readCertificate(toPem(bytes))).toBeUndefined()
    expect(isSignedBy(toPem(bytes), key)).toBe(false)
  })

  test('any beginning of one', () => {
    for (let length = 0; length < der.length; length++) {
      expect(readCertificate(toPem(der.subarray(0, length))), `${length} bytes`).toBeUndefined()
    }
  })

  test.each([
    ['an empty text', ''],
    ['DER without PEM', der.toString('latin1')],
    ['base64 alone', der.toString('base64')],
    ['two in one text', cert + cert],
    ['something before it', `x${cert}`],
    ['something after it', `${cert}x`],
    ['another kind of PEM', cert.replaceAll('CERTIFICATE', 'PUBLIC KEY')],
  ])('%s', (_, text) => expect(readCertificate(text)).toBeUndefined())
})
