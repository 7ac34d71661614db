// Which tunnels the proxy looks into, and what it shows there. Everything else is nobody's business: whoever asks for
// another server's certificate gets that one.
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import tls from 'node:tls'
import type { ProxyContextInfo, ProxyServer } from 'tabport'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ca, serverCertificate } from './support/certificates.ts'
import { connectTunnel } from './support/clients.ts'
import { tlsByConnect } from './support/https.ts'
import { startBait, startOrigin, startTlsOrigin, text } from './support/origin.ts'
import { until, within } from './support/poll.ts'
import { startObserved, startProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-client.ts'
import { startRelay } from './support/relay.ts'

/** The certificate that is shown in a tunnel, whoever has signed it. */
async function shownIn(proxy: ProxyServer, context: ProxyContextInfo, authority: string): Promise<Buffer | undefined> {
  const { socket } = await connectTunnel(proxy, context, authority)
  const secure = tls.connect({ socket, rejectUnauthorized: false })
  onTestFinished(() => void secure.destroy())
  await within('the handshake', once(secure, 'secureConnect'))
  return secure.getPeerX509Certificate()?.raw
}

/** Names and addresses that only look like loopback. */
const ELSEWHERE = ['localhost.evil.test', '127.0.0.1.evil.test', 'notlocalhost', 'example.com', '128.0.0.1']

describe('with a route', () => {
  const looked = ['localhost', 'LOCALHOST', 'localhost.', 'app.localhost', '127.0.0.1', '127.18.0.1', '[::1]']

  test.each(looked)('%s is looked into: the certificate is for that host', async (host) => {
    const { proxy, routed } = await fixture()
    const socket = await tlsByConnect(proxy, routed, `${host}:3000`)
    const leaf = socket.getPeerX509Certificate() ?? expect.unreachable()
    const name = host.toLowerCase().replace(/\.$|[[\]]/g, '')
    expect(/^[\d.:]+$/.test(name) ? leaf.checkIP(name) : leaf.checkHost(name)).toBe(name)
  })

  test.each(ELSEWHERE)('%s is not: its own certificate is shown, byte for byte', async (host) => {
    const { proxy, routed, origin, shown } = await fixture()
    const authority = `${host}:443`
    expect(await shownIn(proxy, routed, authority)).toEqual(shown)
    await expect(tlsByConnect(proxy, routed, authority)).rejects.toThrow(/certificate|issuer/)
    expect(origin.connections).toBe(2)
  })

  test('a number that is another spelling of an address is a name, and one that leads to loopback is refused', async () => {
    const { proxy, routed } = await fixture()
    const bait = await startBait()
    for (const host of ['127.1', '2130706433', '0x7f000001', '0177.0.0.1']) {
      expect.soft((await connectTunnel(proxy, routed, `${host}:${bait?.port}`)).status, host).toBe(403)
    }
    expect(bait?.connections).toBe(0)
  })

  test('what the route leaves local is not: the certificate of the local server is shown', async () => {
    const { proxy, origin, shown } = await fixture()
    const authority = `localhost:${origin.port}`
    const context = proxy.createContext(3, { upstream: 'http://127.18.0.1:{port}', local: [authority] })
    expect(await shownIn(proxy, context, authority)).toEqual(shown)
  })
})

test('without a route nothing is: a local server shows its own certificate', async () => {
  const { proxy, plain, origin, shown } = await fixture()
  for (const host of ['localhost', '127.0.0.1']) {
    expect(await shownIn(proxy, plain, `${host}:${origin.port}`)).toEqual(shown)
  }
})

test('a ClientHello is told though it comes byte by byte', async () => {
  const { proxy, routed } = await fixture()
  const relay = await startRelay({ port: proxy.port() }, { up: { pieces: 1 } })
  const slowly = { port: () => relay.port, certificateAuthority: () => proxy.certificateAuthority() }
  expect((await tlsByConnect(slowly, routed, 'localhost:3000')).authorized).toBe(true)
})

test('a client that does not trust the authority is an error of its own, and is told in no more than a code', async () => {
  const { proxy, routed, events } = await fixture()
  await expect(tlsByConnect(proxy, routed, 'localhost:3000', { ca })).rejects.toThrow(/certificate|issuer/)
  const failed = () => events.find(({ type }) => type === 'error')
  expect(await until('the event', failed)).toMatchObject({ authority: 'localhost:3000', contextId: routed.id })
  await until('it is counted out', () => proxy.stats().connections === 0)
})

test('a hello that does not go on is dropped after the time for a handshake, or for a head', async () => {
  const timeouts = { requestHead: 150, tlsHandshake: 150 }
  const proxy = await startProxy({ timeouts })
  const routed = proxy.createContext(1, { upstream: 'http://127.18.0.1:{port}' })
  const { socket } = await connectTunnel(proxy, routed, 'localhost:3000')
  const client = RawClient.over(socket)
  await client.send(Uint8Array.of(0x16, 3, 1, 0, 100, 1)).rest()
  expect([client.ended, proxy.stats().connections]).toEqual([true, 0])
})

async function fixture() {
  const origin = await startTlsOrigin(text('its own'))
  const leads = (host: string): [string, string] => [`${host}:443`, `127.0.0.1:${origin.port}`]
  const { proxy, events } = await startObserved({ connectTo: Object.fromEntries(ELSEWHERE.map(leads)) })
  const workspace = await startOrigin(text('of the workspace'), { host: '127.18.0.1' })
  const routed = proxy.createContext(2, { upstream: `http://127.18.0.1:${workspace.port}` })
  return {
    origin,
    proxy,
    events,
    plain: proxy.createContext(1),
    routed,
    shown: new X509Certificate(serverCertificate.cert).raw,
  }
}
