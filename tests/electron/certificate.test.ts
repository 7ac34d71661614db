import { createPublicKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { hostsSignedBy } from '../../electron/certificate.ts'
import { elements } from '../../electron/der.ts'
import { Authority, sequence, tlv, toPem } from '../support/authority.ts'

const authority = new Authority('tabport 0badcafe')
const { cert } = authority.leaf('localhost')
const key = createPublicKey(authority.pem)
const der = Buffer.from(cert.replace(/-----.*-----/g, ''), 'base64')
const [signed, algorithm, signature] = elements(der.subarray(4)).map(({ whole }) => whole) as [Buffer, Buffer, Buffer]
const bits = signature.subarray(3)

test.each(['localhost', 'app.localhost', '127.0.0.1', '127.18.0.5', '::1'])('is for its host, %s', (host) => {
  expect(hostsSignedBy(authority.leaf(host).cert, key)).toEqual([host])
})

test('is for its alternative name, and not for what it is called', () => {
  expect(hostsSignedBy(authority.leaf('localhost', { commonName: '127.0.0.1' }).cert, key)).toEqual(['localhost'])
})

test('is for nobody where it names none', () => {
  expect(hostsSignedBy(authority.pem, key)).toEqual([])
})

test('is signed by the one key, and by no other', () => {
  expect(hostsSignedBy(cert, createPublicKey(new Authority('tabport 0badcafe').pem))).toEqual([])
  expect(hostsSignedBy(cert, createPublicKey(cert))).toEqual([])
})

test('is signed by nobody once a bit of it has changed', () => {
  for (let at = 4; at < der.length; at += 7) {
    const changed = Buffer.from(der)
    changed[at]! ^= 0x10
    expect(hostsSignedBy(toPem(changed), key), `byte ${at}`).toEqual([])
  }
})

test('is signed by nobody where it names another algorithm', () => {
  const sha384 = Buffer.from(algorithm)
  sha384[sha384.length - 1]! += 1
  expect(hostsSignedBy(toPem(sequence(signed, algorithm, signature)), key)).toEqual(['localhost'])
  expect(hostsSignedBy(toPem(sequence(signed, sha384, signature)), key)).toEqual([])
})

describe('is not a certificate:', () => {
  const bitString = (unused: number) => tlv(0x03, Buffer.concat([Buffer.of(unused), bits]))

  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['an empty sequence', sequence()],
    ['another tag', tlv(0x31, der.subarray(4))],
    ['one byte more', Buffer.concat([der, Buffer.of(0)])],
    ['two certificates', Buffer.concat([der, der])],
    ['no signature', sequence(signed, algorithm)],
    ['a fourth element', sequence(signed, algorithm, bitString(0), tlv(0x05, Buffer.alloc(0)))],
    ['elements in another order', sequence(algorithm, bitString(0), signed)],
    ['a signature of another type', sequence(signed, algorithm, tlv(0x04, bits))],
    ['a signature with unused bits', sequence(signed, algorithm, bitString(1))],
    ['a signature without contents', sequence(signed, algorithm, tlv(0x03, Buffer.alloc(0)))],
  ])('%s', (_, bytes) => expect(hostsSignedBy(toPem(bytes), key)).toEqual([]))

  test('any beginning of one', () => {
    for (let length = 0; length < der.length; length++) {
      expect(hostsSignedBy(toPem(der.subarray(0, length)), key), `${length} bytes`).toEqual([])
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
  ])('%s', (_, text) => expect(hostsSignedBy(text, key)).toEqual([]))
})

describe('DER', () => {
  const ofLength = (header: number[], length: number) => Buffer.concat([Buffer.from(header), Buffer.alloc(length)])

  test.each([
    ['in one byte', [0x04, 0x7f], 0x7f],
    ['in two', [0x04, 0x81, 0x80], 0x80],
    ['in three', [0x04, 0x82, 0x01, 0x00], 0x100],
  ])('has lengths %s', (_, header, length) => {
    const bytes = ofLength(header, length)
    expect(elements(bytes)).toEqual([{ tag: 0x04, contents: Buffer.alloc(length), whole: bytes }])
  })

  test.each([
    ['a tag alone', [0x30], 0],
    ['half a length', [0x30, 0x82, 0x01], 0],
    ['the long form of a short length', [0x30, 0x81, 0x7f], 0x7f],
    ['a leading zero', [0x30, 0x82, 0x00, 0x85], 0x85],
    ['a length in four bytes', [0x30, 0x83, 0x00, 0x01, 0x00], 0x100],
    ['no length at all', [0x30, 0x80], 2],
    ['a byte too few', [0x30, 0x10], 0x0f],
    ['an element that is not whole after one that is', [0x30, 0x00, 0x30], 0],
  ])('is not %s', (_, header, length) => expect(elements(ofLength(header, length))).toEqual([]))
})
