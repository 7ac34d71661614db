// The whole way, without a browser: a client, a context of the addon, the workspace gateway as a program, the server of a
// workspace.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { GatewayRoute, ListenOptions } from 'tabport'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { startAll } from './features/gateway.ts'
import { CLIENTS, opened } from './features/websockets.ts'
import { undiciAgent } from './support/clients.ts'
import { until, within } from './support/poll.ts'
import { previewTo, startObserved } from './support/proxy.ts'

const file = (name: string) => fileURLToPath(new URL(`support/certs/${name}`, import.meta.url))
const TLS = ['--tls-cert', file('server.pem'), '--tls-key', file('server.key')]
const TOKEN = 's3cret-t0ken'

/** Where a proxy finds the gateway that listens on a port. */
type Found = { options: ListenOptions; cmuxProxyOrigin: string }

const GATEWAYS: [name: string, flags: string[], find: (port: number) => Found][] = [
  ['in clear', [], (port) => ({ options: {}, cmuxProxyOrigin: `http://127.0.0.1:${port}` })],
  ['over TLS', TLS, (port) => ({ options: previewTo(port, 'gate'), cmuxProxyOrigin: 'https://gate.preview.test' })],
]

describe.each(GATEWAYS)('a gateway %s', (_name, flags, find) => {
  async function start(environment: Record<string, string> = {}, more: Partial<GatewayRoute> = {}) {
    const { gateway, ...servers } = await startAll(flags, environment)
    const { options, cmuxProxyOrigin } = find(gateway.port())
    const { proxy, events } = await startObserved(options)
    const context = (number: number) =>
      proxy.createContext(number, { cmuxProxyOrigin, workspace: `workspace-${number}`, ...more })
    return {
      ...servers,
      gateway,
      proxy,
      events,
      authority: `localhost:${servers.port}`,
      contexts: [context(1), context(2)],
    }
  }

  test.each([false, true])('leads each context to its own server (through a tunnel: %s)', async (tunnel) => {
    const { proxy, contexts, authority, one, here } = await start()
    for (const [index, context] of [...contexts, ...contexts].entries()) {
      const dispatcher = undiciAgent(proxy, context, tunnel)
      const { body } = await request(`http://${authority}/x?y`, { dispatcher })
      expect(await body.text()).toBe(`workspace ${1 + (index % 2)}`)
    }
    expect(one.seen).toMatchObject([{ url: '/x?y', headers: { host: authority } }, {}])
    expect(here.connections).toBe(0)
  })

  test.each(CLIENTS)('opens WebSockets %s, and a release ends them at the server', async (_form, open) => {
    const { proxy, contexts, authority, one, two } = await start()
    const sockets = []
    for (const [index, context] of contexts.entries()) {
      const socket = await open(proxy, context, authority, { protocols: ['vite-hmr'] })
      const [greeting] = await within('the greeting', once(socket, 'message'))
      expect([socket.protocol, String(greeting)]).toEqual(['vite-hmr', `workspace ${index + 1}`])
      sockets.push(socket)
    }
    proxy.releaseContext(contexts[0]!.id)
    await until('the end at the server', () => one.sockets.size === 0, 1_000)
    await opened(sockets[1]!)
    expect(two.sockets.size).toBe(1)
  })

  test('with a token lets in the context that has it, and nobody ever hears of it', async () => {
    const secret = { CMUX_AUTH_TOKEN: TOKEN, RUST_LOG: 'trace' }
    const { gateway, proxy, contexts, authority, one, events } = await start(secret, { cmuxProxyToken: TOKEN })
    const shown = []
    for (const tunnel of [false, true]) {
      const { statusCode, headers, body } = await request(`http://${authority}/`, {
        dispatcher: undiciAgent(proxy, contexts[0]!, tunnel),
      })
      expect(statusCode).toBe(200)
      shown.push(headers, await body.text())
    }
    const { log } = await gateway.close()
    expect(log.length).toBeGreaterThan(0)
    for (const told of [shown, one.seen, events, contexts, proxy.stats(), log]) {
      expect(JSON.stringify(told)).not.toContain(TOKEN)
    }
  })

  test.each([undefined, 'wr0ng'])(
    'with a token is a 502 for a context that has %s, and no challenge',
    async (given) => {
      const { proxy, contexts, authority, one } = await start({ CMUX_AUTH_TOKEN: TOKEN }, { cmuxProxyToken: given })
      for (const tunnel of [false, true]) {
        const dispatcher = undiciAgent(proxy, contexts[0]!, tunnel)
        const { statusCode, headers, body } = await request(`http://${authority}/`, { dispatcher })
        expect([statusCode, headers['proxy-status']]).toEqual([502, 'tabport; error=proxy_configuration_error'])
        expect(headers).not.toHaveProperty('proxy-authenticate')
        expect(await body.text()).toBe('the gateway was given no token, or a wrong one\n')
      }
      expect(one.connections).toBe(0)
    },
  )
})
