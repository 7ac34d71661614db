// Upstreams that speak TLS: the name asked for, the trust, and the protocol agreed on.
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { undiciAgent } from './support/clients.ts'
import { startBait, startTlsOrigin, text } from './support/origin.ts'
import { previewTo, startProxy } from './support/proxy.ts'

const morph = { morphId: 'abc', scope: 'base', domainSuffix: 'preview.test' }

describe('the name of the upstream', () => {
  test('morphId, scope and the port asked for make it', async () => {
    const { origin, proxy, ask } = await fixture(morph, 'cmux-abc-base-3000')
    expect(await ask('http://localhost:3000/x?y')).toMatchObject({ status: 200, body: 'over TLS' })
    expect(origin.seen).toMatchObject([
      {
        url: '/x?y',
        servername: 'cmux-abc-base-3000.preview.test',
        headers: { host: 'cmux-abc-base-3000.preview.test' },
      },
    ])
    expect(proxy.stats().total.requests).toBe(1)
  })

  test('a template makes it, and the real localhost hears nothing', async () => {
    const bait = await startBait()
    const port = bait?.port ?? 0
    const { origin, ask } = await fixture({ upstream: 'https://{port}-ws.preview.test' }, `${port}-ws`)
    expect(await ask(`http://localhost:${port}/`)).toMatchObject({ status: 200 })
    expect(origin.seen).toMatchObject([{ servername: `${port}-ws.preview.test` }])
    expect(bait?.connections).toBe(0)
  })

  test('a gateway behind TLS is one too', async () => {
    const gateway = { cmuxProxyOrigin: 'https://gate.preview.test' }
    const { origin, ask } = await fixture(gateway, 'gate')
    expect(await ask('http://localhost:5173/')).toMatchObject({ status: 200 })
    expect(origin.seen).toMatchObject([
      { servername: 'gate.preview.test', headers: { host: 'gate.preview.test', 'x-cmux-port-internal': '5173' } },
    ])
  })
})

describe('trust', () => {
  test('a certificate that nobody vouches for is a 502', async () => {
    const origin = await startTlsOrigin(text('over TLS'))
    const { connectTo } = previewTo(origin.port, 'cmux-abc-base-3000')
    const proxy = await startProxy({ connectTo })
    const dispatcher = undiciAgent(proxy, proxy.createContext(1, morph))
    const answer = await request('http://localhost:3000/', { dispatcher })
    expect(answer.statusCode).toBe(502)
    expect(answer.headers['proxy-status']).toBe('tabport; error=tls_certificate_error')
    expect(origin.seen).toEqual([])
  })

  test('a certificate for another name is a 502', async () => {
    const origin = await startTlsOrigin(text('over TLS'))
    const { extraCa } = previewTo(origin.port)
    const proxy = await startProxy({ extraCa, connectTo: { 'elsewhere.test:443': `127.0.0.1:${origin.port}` } })
    const dispatcher = undiciAgent(proxy, proxy.createContext(1, { upstream: 'https://elsewhere.test' }))
    const answer = await request('http://localhost:3000/', { dispatcher })
    expect(answer.statusCode).toBe(502)
    expect(answer.headers['proxy-status']).toBe('tabport; error=tls_certificate_error')
    expect(origin.seen).toEqual([])
  })
})

describe('the protocol', () => {
  test('is HTTP/2 where ALPN agrees on it', async () => {
    const { origin, ask } = await fixture(morph, 'cmux-abc-base-3000', ['h2', 'http/1.1'])
    expect(await ask('http://localhost:3000/')).toMatchObject({ status: 200, body: 'over TLS' })
    expect(origin.seen).toMatchObject([{ version: '2.0', alpn: 'h2' }])
  })

  test('is HTTP/1.1 where it does not', async () => {
    const { origin, ask } = await fixture(morph, 'cmux-abc-base-3000', ['http/1.1'])
    expect(await ask('http://localhost:3000/')).toMatchObject({ status: 200, body: 'over TLS' })
    expect(await ask('http://localhost:3000/')).toMatchObject({ status: 200, body: 'over TLS' })
    expect(origin.seen).toMatchObject([{ version: '1.1' }, { version: '1.1' }])
  })
})

async function fixture(route: object, name: string, protocols?: ('h2' | 'http/1.1')[]) {
  const origin = await startTlsOrigin(text('over TLS'), protocols)
  const proxy = await startProxy(previewTo(origin.port, name))
  const dispatcher = undiciAgent(proxy, proxy.createContext(1, route as typeof morph))
  const ask = async (url: string) => {
    const { statusCode, body } = await request(url, { dispatcher })
    return { status: statusCode, body: await body.text() }
  }
  return { origin, proxy, ask }
}
