// The row about the leaves: certificates for one host each, as OpenSSL and Node judge them.
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fileOf, openssl, portInto, temporaryFolder, tlsByConnect, tlsToListener } from '../support/https.ts'
import { startProxy } from '../support/proxy.ts'
import { certificateOf, keyIn } from './authority.ts'
import { tab } from './fixture.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'

/** Where a leaf is for, how it is asked to be verified, and what it must name. */
const HOSTS: [host: string, verify: string[], name: string][] = [
  ['localhost', ['-verify_hostname', 'localhost'], 'DNS:localhost'],
  ['app.localhost', ['-verify_hostname', 'app.localhost'], 'DNS:app.localhost'],
  ['127.0.0.1', ['-verify_ip', '127.0.0.1'], 'IP Address:127.0.0.1'],
  ['127.18.0.1', ['-verify_ip', '127.18.0.1'], 'IP Address:127.18.0.1'],
  ['[::1]', ['-verify_ip', '::1'], 'IP Address:0:0:0:0:0:0:0:1'],
]

test.each(HOSTS)(
  'row 49, leaf SAN DNS/IP, EKU serverAuth, chain, cache cap: %s validates',
  async (host, verify, name) => {
    const { origin, proxy, context } = await tab()
    const authority = `${host}:${origin.port}`
    const leaf = (await tlsByConnect(proxy, context, authority)).getPeerX509Certificate() ?? expect.unreachable()
    expect([leaf.subjectAltName, leaf.keyUsage, leaf.ca]).toEqual([name, [SERVER_AUTH], false])
    expect(leaf.checkIssued(certificateOf(proxy))).toBe(true)
    expect(leaf.subject).not.toBe(leaf.issuer)
    const [from, to] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)]
    expect(from < Date.now() && to > Date.now() && to - from < 398 * DAY_MS).toBe(true)
    const trust = ['-CAfile', fileOf(proxy.certificateAuthority().pem), '-verify_return_error', ...verify]
    const port = await portInto(proxy, context, authority)
    const asked = ['-connect', `127.0.0.1:${port}`, '-noservername', '-showcerts', ...trust]
    const { ok, printed } = await openssl('s_client', ...asked)
    expect([ok, printed]).toEqual([true, expect.stringContaining('Verify return code: 0 (ok)')])
    const chain = printed.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
    const shown = chain.map((pem) => new X509Certificate(pem).fingerprint256)
    expect(shown).toEqual([leaf.fingerprint256, certificateOf(proxy).fingerprint256])
  },
)

test('row 49, leaf SAN DNS/IP, EKU serverAuth, chain, cache cap: openssl takes it for localhost, not example.com', async () => {
  const { proxy, context, authority } = await tab()
  const leaf = (await tlsByConnect(proxy, context, authority)).getPeerX509Certificate() ?? expect.unreachable()
  const [ca, file] = [fileOf(proxy.certificateAuthority().pem), fileOf(leaf.toString())]
  const verify = (name: string) =>
    openssl('verify', '-CAfile', ca, '-purpose', 'sslserver', '-verify_hostname', name, file)
  expect(await verify('localhost')).toMatchObject({ ok: true })
  expect(await verify('example.com')).toEqual({ ok: false, printed: expect.stringContaining('hostname mismatch') })
})

test.each(['example.com', 'localhost.evil.test', 'notlocalhost'])(
  'row 49, leaf SAN DNS/IP, EKU serverAuth, chain, cache cap: openssl rejects one for %s, though the authority signed it',
  async (name) => {
    const directory = join(temporaryFolder(), 'kept')
    const proxy = await startProxy({ certificates: { directory } })
    const [ca, key, folder] = [fileOf(proxy.certificateAuthority().pem), keyIn(directory), temporaryFolder()]
    const [extension, request, leaf] = ['extension', 'request', 'leaf'].map((file) => join(folder, file)) as [
      string,
      string,
      string,
    ]
    const verified = async (named: string) => {
      writeFileSync(extension, `subjectAltName=DNS:${named}\nextendedKeyUsage=serverAuth\n`)
      await openssl(
        'req',
        '-new',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-subj',
        '/CN=x',
        '-keyout',
        join(folder, 'key'),
        '-out',
        request,
      )
      const signing = ['-CA', ca, '-CAkey', key, '-set_serial', '1', '-days', '1', '-extfile', extension]
      expect(await openssl('x509', '-req', '-in', request, ...signing, '-out', leaf)).toMatchObject({ ok: true })
      return openssl('verify', '-CAfile', ca, leaf)
    }
    expect(await verified('localhost')).toMatchObject({ ok: true })
    expect(await verified(name)).toEqual({ ok: false, printed: expect.stringContaining('permitted subtree violation') })
  },
)

test('row 49, leaf SAN DNS/IP, EKU serverAuth, chain, cache cap: that of the secure listener, and names of its own', async () => {
  const proxy = await startProxy({ secure: true, certificates: { names: ['proxy.preview.test'] } })
  const leaf = (await tlsToListener(proxy)).getPeerX509Certificate() ?? expect.unreachable()
  const listener = proxy.listenerCertificate() ?? expect.unreachable()
  expect(new X509Certificate(listener.pem).fingerprint256).toBe(leaf.fingerprint256)
  expect(listener.fingerprint).toBe(
    `sha256/${Buffer.from(leaf.fingerprint256.replaceAll(':', ''), 'hex').toString('base64')}`,
  )
  for (const name of ['localhost', 'proxy.preview.test']) expect(leaf.checkHost(name)).toBe(name)
  for (const ip of ['127.0.0.1', '::1']) expect(leaf.checkIP(ip)).toBe(ip)
  expect([leaf.keyUsage, leaf.ca]).toEqual([[SERVER_AUTH], false])
})
