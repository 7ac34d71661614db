// CONNECT: tunnels that follow the route, and what is said inside them.
import http from 'node:http'
import tls from 'node:tls'
import { request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connectTunnel, undiciAgent } from './support/clients.ts'
import { startBait, startRawOrigin, startTlsOrigin, startWorkspace, text } from './support/origin.ts'
import { until } from './support/poll.ts'
import { authorization, previewTo, startProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-client.ts'

const CONNECTED = /^HTTP\/1\.1 200 /

describe('to a loopback name, with a route', () => {
  test('plain HTTP inside is served by the workspace', async () => {
    const { origin, bait, route } = await startWorkspace(text('from the workspace'))
    const proxy = await startProxy()
    const dispatcher = undiciAgent(proxy, proxy.createContext(1, route), true)
    const { body } = await request(`http://localhost:${origin.port}/`, { dispatcher })
    expect(await body.text()).toBe('from the workspace')
    expect(origin.seen).toHaveLength(1)
    expect(bait.connections).toBe(0)
  })

  test('bytes sent right behind the CONNECT are not lost', async () => {
    const { origin, route } = await startWorkspace()
    const proxy = await startProxy()
    const authority = `localhost:${origin.port}`
    const client = await RawClient.connect(proxy.port())
    const connect = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization(proxy.createContext(1, route))}\r\n`
    client.send(`${connect}GET /early HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    expect((await client.head()).status).toBe(200)
    expect((await client.response()).body).toContain('"/early"')
  })

  test('credentials are not asked for inside, and not passed on', async () => {
    const { origin, route } = await startWorkspace()
    const proxy = await startProxy()
    const context = proxy.createContext(1, route)
    const { socket } = await connectTunnel(proxy, context, `localhost:${origin.port}`)
    const status = await new Promise((resolve, reject) => {
      const headers = { 'Proxy-Authorization': 'Basic c2VjcmV0OnNlY3JldA==', 'X-Cmux-Port-Internal': '22' }
      const options = { createConnection: () => socket, headers, host: 'localhost', port: origin.port }
      http.get(options, (response) => resolve(response.resume().statusCode)).once('error', reject)
    })
    expect(status).toBe(200)
    expect(origin.seen[0]?.headers).not.toHaveProperty('proxy-authorization')
    expect(origin.seen[0]?.headers).not.toHaveProperty('x-cmux-port-internal')
  })

  test('a request inside for another authority is refused', async () => {
    const { origin, bait, route } = await startWorkspace()
    const proxy = await startProxy()
    const { socket } = await connectTunnel(proxy, proxy.createContext(1, route), `localhost:${origin.port}`)
    const received: string[] = []
    socket.on('data', (chunk) => received.push(String(chunk)))
    socket.write('GET http://other.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n')
    await until('an answer', () => received.join('').includes('\r\n\r\n'))
    expect(received.join('')).toMatch(/^HTTP\/1\.1 421 /)
    expect([origin.connections, bait.connections]).toEqual([0, 0])
  })

  test('TLS inside is shaken hands with here, and goes to where the route leads', async () => {
    const bait = await startBait()
    const port = bait?.port ?? 0
    const origin = await startTlsOrigin(text('over TLS'))
    const proxy = await startProxy(previewTo(origin.port, `${port}-ws`))
    const context = proxy.createContext(1, { upstream: 'https://{port}-ws.preview.test' })
    const { socket } = await connectTunnel(proxy, context, `localhost:${port}`)
    const secure = tls.connect({ socket, ca: proxy.certificateAuthority().pem, servername: 'localhost' })
    onTestFinished(() => {
      secure.destroy()
    })
    const body = await new Promise((resolve, reject) => {
      const options = { createConnection: () => secure, host: 'localhost', port }
      const asked = http.get(options, (response) => response.once('data', (chunk) => resolve(String(chunk))))
      asked.once('error', reject)
    })
    expect(body).toBe('over TLS')
    expect(origin.seen).toHaveLength(1)
    expect(bait?.connections).toBe(0)
  })
})

describe('without a route', () => {
  test('bytes pass both ways, and a half-close with them', async () => {
    const origin = await startRawOrigin((socket) => {
      const chunks: Buffer[] = []
      socket.write('hello first\n')
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('end', () => socket.end(Buffer.concat([Buffer.from('you said: '), ...chunks])))
    })
    const proxy = await startProxy()
    const { client, head } = await rawConnect(proxy, proxy.createContext(1), origin.port)
    expect(head.status).toBe(200)
    expect(await client.bytes(12)).toBe('hello first\n')
    client.send('these bytes\0\xff')
    client.socket.end()
    expect(await client.rest()).toBe(`you said: ${Buffer.from('these bytes\0\xff').toString('latin1')}`)
  })

  test('a 200 is said only when the upstream has answered', async () => {
    const origin = await startRawOrigin(() => {})
    const { port } = origin
    await origin.close()
    const proxy = await startProxy()
    const { client, head } = await rawConnect(proxy, proxy.createContext(1), port)
    expect(head.status).toBe(502)
    expect(head.all('Proxy-Status')).toEqual(['tabport; error=connection_refused'])
    expect(String(client.received)).not.toMatch(CONNECTED)
    expect(proxy.stats().total.tunnels).toBe(0)
  })

  test('the upstream closing closes the client', async () => {
    const origin = await startRawOrigin((socket) => socket.end('bye'))
    const proxy = await startProxy()
    const { client } = await rawConnect(proxy, proxy.createContext(1), origin.port)
    expect(await client.rest()).toBe('bye')
  })
})

async function rawConnect(
  proxy: Parameters<typeof connectTunnel>[0],
  context: Parameters<typeof authorization>[0],
  port: number,
) {
  const client = await RawClient.connect(proxy.port())
  const authority = `127.0.0.1:${port}`
  client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization(context)}\r\n`)
  return { client, head: await client.head() }
}
