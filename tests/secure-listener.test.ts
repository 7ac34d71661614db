// A listener that speaks TLS itself: what it agrees on, whom it shows itself as, and that it serves nothing in clear.
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import tls from 'node:tls'
import { ProxyAgent, request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ca } from './support/certificates.ts'
import { curl, http2Request } from './support/clients.ts'
import { type Alpn, fileOf, http2Over, temporaryFolder, tlsToListener } from './support/https.ts'
import { startWorkspace, text } from './support/origin.ts'
import { until, within } from './support/poll.ts'
import { authorization, basic, startProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-client.ts'

describe('what it agrees on', () => {
  test.each<[boolean, Alpn[], string | false]>([
    [true, ['http/1.1', 'h2'], 'h2'],
    [true, ['http/1.1'], 'http/1.1'],
    [true, [], false],
    [false, ['h2', 'http/1.1'], 'http/1.1'],
  ])('with http2 %s, of %j it is %s', async (http2, offered, agreed) => {
    const proxy = await startProxy({ secure: true, http2 })
    expect((await tlsToListener(proxy, offered)).alpnProtocol).toBe(agreed)
  })

  test('a client that speaks nothing of it is refused in the handshake', async () => {
    const proxy = await startProxy({ secure: true, http2: false })
    await expect(tlsToListener(proxy, ['h2'])).rejects.toThrow(/no.application.protocol/i)
  })
})

describe('what it serves', () => {
  test('requests in absolute form over HTTP/1.1, with the same challenge', async () => {
    const { proxy, context, authority } = await fixture()
    const client = RawClient.over(await tlsToListener(proxy, ['http/1.1']))
    const line = `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n`
    const refused = await client.send(`${line}\r\n`).response()
    expect([refused.status, refused.all('Proxy-Authenticate')]).toEqual([407, ['Basic realm="tabport"']])
    expect(await client.send(`${line}${authorization(context)}\r\n`).response()).toMatchObject({ body: 'served' })
  })

  test('http and https requests over one connection of HTTP/2', async () => {
    const { proxy, context, authority, origin } = await fixture()
    const session = await http2Over(await tlsToListener(proxy))
    const ask = (scheme: string, credentials: object) =>
      http2Request(session, { ':scheme': scheme, ':authority': authority, ':path': '/', ...credentials })
    expect((await ask('http', {})).status).toBe(407)
    for (const scheme of ['http', 'https']) {
      const { status, body } = await ask(scheme, { 'proxy-authorization': basic(context) })
      expect([status, String(body)]).toEqual([200, 'served'])
    }
    expect([origin.seen.length, proxy.stats().total.connections]).toEqual([2, 1])
  })

  test('undici and curl, for http and for https in a tunnel', async () => {
    const { proxy, context, authority } = await fixture()
    const trust = { ca: proxy.certificateAuthority().pem }
    const proxyTls = { ...trust, servername: 'localhost' }
    const uri = `https://127.0.0.1:${proxy.port()}`
    const dispatcher = new ProxyAgent({ uri, token: basic(context), requestTls: trust, proxyTls })
    onTestFinished(() => dispatcher.destroy())
    const file = fileOf(trust.ca)
    const through = [
      '-x',
      uri,
      '-U',
      `${context.username}:${context.password}`,
      '--proxy-cacert',
      file,
      '--cacert',
      file,
    ]
    for (const scheme of ['http', 'https']) {
      const { body } = await request(`${scheme}://${authority}/`, { dispatcher })
      expect(await body.text()).toBe('served')
      expect(await curl(...through, `${scheme}://${authority}/`)).toBe('served')
    }
  })

  test('nothing in clear, and whoever tries is gone', async () => {
    const { proxy, context, authority, origin } = await fixture()
    for (const said of [
      `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n${authorization(context)}\r\n`,
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    ]) {
      const client = await RawClient.connect(proxy.port())
      expect(await client.send(said).rest()).not.toContain('HTTP/')
    }
    expect(origin.connections).toBe(0)
    await until('they are counted out', () => proxy.stats().connections === 0)
  })

  test('a client that says nothing is closed after the time for a handshake', async () => {
    const proxy = await startProxy({ secure: true, timeouts: { tlsHandshake: 150 } })
    const client = await RawClient.connect(proxy.port())
    await client.rest()
    await until('it is counted out', () => proxy.stats().connections === 0)
  })
})

describe('whom it shows itself as', () => {
  test('a listener in clear has no certificate, but an authority', async () => {
    const proxy = await startProxy()
    expect(proxy.listenerCertificate()).toBeNull()
    expect(new X509Certificate(proxy.certificateAuthority().pem).ca).toBe(true)
  })

  test('what it shows is what it says, to be pinned; it can be asked after a stop, too', async () => {
    const proxy = await startProxy({ secure: true })
    const [authority, listener] = [proxy.certificateAuthority(), proxy.listenerCertificate()]
    const shown = (await tlsToListener(proxy)).getPeerX509Certificate() ?? expect.unreachable()
    expect(shown.toString()).toBe(new X509Certificate(listener?.pem ?? '').toString())
    expect(listener?.fingerprint).toMatch(/^sha256\/[A-Za-z0-9+/]{43}=$/)
    expect(listener?.fingerprint).not.toBe(authority.fingerprint)
    await proxy.stop()
    expect([proxy.certificateAuthority(), proxy.listenerCertificate()]).toEqual([authority, listener])
  })

  test('nobody who trusts another authority trusts it', async () => {
    const [proxy, other] = [await startProxy({ secure: true }), await startProxy({ secure: true })]
    for (const trusted of [ca, other.certificateAuthority().pem]) {
      const secure = tls.connect({ port: proxy.port(), host: '127.0.0.1', ca: trusted })
      const [error] = await within('the refusal', once(secure, 'error'))
      expect(error.message).toMatch(/certificate|issuer/)
    }
  })

  test('an authority that is kept vouches for the listener of the next start', async () => {
    const directory = `${temporaryFolder()}/kept`
    const first = await startProxy({ secure: true, certificates: { directory } })
    const next = await startProxy({ secure: true, certificates: { directory } })
    expect(next.listenerCertificate()?.fingerprint).not.toBe(first.listenerCertificate()?.fingerprint)
    const secure = tls.connect({ port: next.port(), host: '127.0.0.1', ca: first.certificateAuthority().pem })
    await within('the handshake', once(secure, 'secureConnect'))
    secure.destroy()
  })
})

async function fixture() {
  const { origin, route } = await startWorkspace(text('served'))
  const proxy = await startProxy({ secure: true })
  return { origin, proxy, context: proxy.createContext(1, route), authority: `localhost:${origin.port}` }
}
