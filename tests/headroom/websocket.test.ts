// WebSockets through headroom-proxy, as a page in a real Chromium opens them, and as a client sees that they are refused.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import Client from 'ws'
import { launch } from '../browser/chromium.ts'
import { serveWebSockets } from '../features/websockets.ts'
import { ca } from '../support/certificates.ts'
import { temporaryFolder } from '../support/folder.ts'
import { Headroom } from '../support/headroom.ts'
import { type Origin, startOrigin, startTlsOrigin, text } from '../support/origin.ts'
import { chromiumPath } from '../support/requirements.ts'

const executable = chromiumPath()

/** Servers that echo, in clear and over TLS, and what a proxy must be told to reach them. */
const UPSTREAMS: [scheme: string, start: () => Promise<{ origin: Origin; url: string; args: string[] }>][] = [
  [
    'ws',
    async () => {
      const origin = await startOrigin(text('a page'))
      return { origin, url: `http://127.0.0.1:${origin.port}`, args: [] }
    },
  ],
  [
    'wss',
    async () => {
      const origin = await startTlsOrigin(text('a page'))
      const file = path.join(temporaryFolder(), 'ca.pem')
      writeFileSync(file, ca)
      return { origin, url: `https://localhost:${origin.port}`, args: [`--extra-ca=${file}`] }
    },
  ],
]

/** What a page learns of a socket that it opens, sends `hello` to, and closes. */
async function openInPage(browser: Browser, page: string, protocols: string[]) {
  const tab = await browser.newPage()
  try {
    await tab.goto(page)
    return await tab.evaluate(
      ([url, offered]) =>
        new Promise<unknown>((resolve) => {
          const socket = new WebSocket(url, offered)
          const told: Record<string, unknown> = {}
          socket.onopen = () => {
            Object.assign(told, { protocol: socket.protocol, extensions: socket.extensions })
            socket.send('hello')
          }
          socket.onmessage = ({ data }) => {
            told.echo = data
            socket.close(4001, 'enough')
          }
          socket.onclose = ({ code, reason, wasClean }) => resolve({ ...told, code, reason, wasClean })
        }),
      [page.replace('http', 'ws'), protocols] as const,
    )
  } finally {
    await tab.close()
  }
}

describe.skipIf(!executable)('in a Chromium (skipped without Chromium)', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch(executable as string)
  })
  afterAll(() => browser?.close())

  test.each(UPSTREAMS)(
    'rows 36 and 38, to a server of %s, with the subprotocol that it takes',
    async (scheme, start) => {
      const { origin, url, args } = await start()
      const sockets = serveWebSockets(origin)
      const proxy = await Headroom.start(url, args)
      const opened = await openInPage(browser, `${proxy.url()}/live?key=hidden`, ['other', 'vite-hmr'])
      expect(opened).toEqual({
        protocol: 'vite-hmr',
        extensions: 'permessage-deflate',
        echo: 'hello',
        code: 4001,
        reason: 'enough',
        wasClean: true,
      })
      expect(sockets.clients.size).toBe(0)
      const upgrade = origin.seen.find(({ headers }) => headers.upgrade)
      expect(upgrade).toMatchObject({
        url: '/live?key=hidden',
        headers: { 'sec-websocket-protocol': 'other, vite-hmr' },
      })
      expect(upgrade?.servername).toBe(scheme === 'wss' ? 'localhost' : undefined)
      const exchanges = await proxy.ended(2)
      expect(exchanges.at(-1)).toMatchObject({ path: '/live', status: 101, protocol: 'ws', outcome: 'complete' })
      expect(proxy.lines.join()).not.toContain('hidden')
    },
  )

  test('row 36, without a subprotocol of the upstream it fails, as it does without a proxy', async () => {
    const origin = await startOrigin(text('a page'))
    serveWebSockets(origin)
    const proxy = await Headroom.start(`http://127.0.0.1:${origin.port}`)
    const failed = { code: 1006, reason: '', wasClean: false }
    expect(await openInPage(browser, `${proxy.url()}/`, ['unknown'])).toEqual(failed)
    expect(await openInPage(browser, `http://127.0.0.1:${origin.port}/`, ['unknown'])).toEqual(failed)
  })
})

describe('row 35, a refusal is what the upstream says', () => {
  test.each(UPSTREAMS)('of a server of %s', async (_, start) => {
    const { origin, url, args } = await start()
    const body = '{"error":"no such key"}'
    origin.server.on('upgrade', (_request, socket) => {
      socket.end(
        `HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
    })
    const proxy = await Headroom.start(url, args)
    const socket = new Client(`${proxy.url('ws')}/live`)
    const [, response] = await once(socket, 'unexpected-response')
    expect(response).toMatchObject({ statusCode: 401, headers: { 'www-authenticate': 'Bearer' } })
    expect(String((await response.toArray())[0])).toBe(body)
    expect(await proxy.ended(1)).toMatchObject([{ status: 401, path: '/live' }])
  })

  test('and 502 where there is no upstream, or none that is trusted', async () => {
    const [, startSecure] = UPSTREAMS[1]!
    const { url } = await startSecure()
    for (const upstream of ['http://127.0.0.1:1', url]) {
      const proxy = await Headroom.start(upstream)
      const socket = new Client(`${proxy.url('ws')}/live`)
      const [, response] = await once(socket, 'unexpected-response')
      expect(response.statusCode).toBe(502)
      response.resume()
    }
  })
})
