// Whom a real Chromium believes that it speaks for a tab's localhost: the authority of this proxy, which is trusted by its
// key, and nobody who only bears its name. And what is not intercepted shows its own certificate.
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import type { CertificateOptions, ListenOptions } from 'tabport'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Authority, type Leaf, nameOf } from '../support/authority.ts'
import { serverCertificate } from '../support/certificates.ts'
import { connectTunnel } from '../support/clients.ts'
import { temporaryFolder } from '../support/https.ts'
import { startTlsOrigin, startWorkspace, text } from '../support/origin.ts'
import { startProxy } from '../support/proxy.ts'
import { chromiumPath } from '../support/requirements.ts'
import { launch, openTab } from './chromium.ts'
import { cannotTrust, useTrustingBrowser } from './trust.ts'

const chromium = useTrustingBrowser()

/** At a bad certificate Chromium asks a public host whether it is behind a captive portal: that leads nowhere. */
const OFFLINE: ListenOptions = { upstreamProxy: () => '' }

describe.skipIf(cannotTrust)('whom Chromium believes (skipped without Chromium and certutil)', () => {
  test('the authority of this proxy, once it is trusted, and of no other', async () => {
    const { origin, bait, route } = await startWorkspace()
    const [proxy, other] = [await startProxy(OFFLINE), await startProxy(OFFLINE)]
    const open = () => openTab(chromium.browser, proxy, proxy.createContext(1, route))
    const url = `https://localhost:${origin.port}/`
    await expect((await open()).goto(url)).rejects.toThrow('ERR_CERT_AUTHORITY_INVALID')
    await chromium.trust(other.certificateAuthority().pem)
    await expect((await open()).goto(url)).rejects.toThrow('ERR_CERT_AUTHORITY_INVALID')
    expect(origin.connections).toBe(0)
    await chromium.trust(proxy.certificateAuthority().pem)
    expect((await (await open()).goto(url))?.status()).toBe(200)
    expect(bait.connections).toBe(0)
  })

  test('not an authority that has only its name', async () => {
    const { authority, visit } = await openUnrouted()
    const leaf = new Authority(nameOf(authority)).leaf('localhost')
    expect(await visit('localhost', leaf)).toBe('ERR_CERT_AUTHORITY_INVALID')
  })

  test('not a leaf in its name that is sent along with it', async () => {
    const { authority, visit } = await openUnrouted()
    const leaf = new Authority('forger').leaf('localhost', { issuer: nameOf(authority) })
    expect(await visit('localhost', { ...leaf, chain: leaf.cert + authority })).toBe('ERR_CERT_AUTHORITY_INVALID')
  })

  test('not the authority itself about any other name, even of whoever has its key', async () => {
    const directory = temporaryFolder()
    const { authority, visit } = await openUnrouted({ directory })
    const key = createPrivateKey(readFileSync(path.join(directory, 'authority.pem')))
    const thief = new Authority(nameOf(authority), key)
    const leaf = thief.leaf('site.test')
    expect(await visit('site.test', { ...leaf, chain: leaf.cert + authority })).toBe('ERR_CERT_INVALID')
    // The thief's own certificate has no constraints.
    expect(await visit('site.test', leaf)).toBe('ERR_CERT_INVALID')
    expect(await visit('localhost', thief.leaf('localhost'))).toEqual({ requests: 1 })
  })

  test('the authority is served along, so that its key can be pinned', async () => {
    const { origin, route } = await startWorkspace()
    const proxy = await startProxy()
    const { publicKey } = new X509Certificate(proxy.certificateAuthority().pem)
    const key = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' }))
    const pinned = `--ignore-certificate-errors-spki-list=${key.digest('base64')}`
    const browser = await launch(chromiumPath() as string, { args: [pinned] })
    onTestFinished(() => browser.close())
    const tab = await openTab(browser, proxy, proxy.createContext(1, route))
    expect((await tab.goto(`https://localhost:${origin.port}/`))?.status()).toBe(200)
  })
})

test.each([
  ['a tab without a route', undefined, 'localhost'],
  ['a tab with one, elsewhere', { upstream: 'http://127.18.0.1:{port}' }, 'site.preview.test'],
])('%s sees the own certificate of an origin, byte for byte', async (_name, route, host) => {
  const origin = await startTlsOrigin(text('over TLS'))
  const options: ListenOptions = { connectTo: { [`site.preview.test:${origin.port}`]: `127.0.0.1:${origin.port}` } }
  const proxy = await startProxy(options)
  const authority = `${host}:${origin.port}`
  const { status, socket } = await connectTunnel(proxy, proxy.createContext(1, route), authority)
  expect(status).toBe(200)
  const client = tls.connect({ socket, servername: host, rejectUnauthorized: false })
  await new Promise((resolve, reject) => client.once('secureConnect', resolve).once('error', reject))
  expect(client.getPeerX509Certificate()?.raw).toEqual(new X509Certificate(serverCertificate.cert).raw)
})

/** A tab without a route behind a proxy that is trusted, and what it sees of a server that shows any certificate. */
async function openUnrouted(certificates: CertificateOptions = {}) {
  let requests = 0
  const server = https.createServer((_request, response) => {
    requests += 1
    // With an icon of its own, so that the browser asks for none.
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><link rel=icon href=data:,>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const connectTo = { [`site.test:${port}`]: `127.0.0.1:${port}` }
  const proxy = await startProxy({ ...OFFLINE, certificates, connectTo })
  const authority = proxy.certificateAuthority().pem
  await chromium.trust(authority)
  const tab = await openTab(chromium.browser, proxy, proxy.createContext(1))
  const visit = async (host: string, { key, chain }: Pick<Leaf, 'key' | 'chain'>) => {
    server.setSecureContext({ key, cert: chain })
    const before = requests
    const error = await tab.goto(`https://${host}:${port}/`).then(
      () => undefined,
      (error: Error) => /ERR_\w+/.exec(error.message)?.[0],
    )
    return error ?? { requests: requests - before }
  }
  return { authority, visit }
}
