// What docs/migration.md says: the proxy that was written by hand and tabport answer the same requests alike, and a flag
// leads from the one to the other and back, without a restart.
import { execFile } from 'node:child_process'
import http from 'node:http'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { GatewayRoute, ProxyContextInfo } from 'tabport'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { connectTunnel, curl, webSocketByAbsoluteForm, webSocketByConnect } from '../support/clients.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { basic } from '../support/proxy.ts'
import { RawClient } from '../support/raw-client.ts'

const folder = fileURLToPath(new URL('../../examples/migration/', import.meta.url))
const require = createRequire(`${folder}test.cjs`)
const { createPreviewProxy } = require('./preview-proxy.cjs') as {
  createPreviewProxy(wanted: () => string | undefined, report: (error: Error & { code?: string }) => void): PreviewProxy
}

interface PreviewProxy {
  createContext(webContentsId: number, route?: GatewayRoute): Promise<Context>
  stop(): Promise<void>
}

type Context = ProxyContextInfo & { port: number; release(): void }

/** Says what has arrived: everything but what is of this connection alone. */
const answer: http.RequestListener = async (request, response) => {
  let body = ''
  for await (const part of request) body += part
  const { connection, 'x-cmux-proxied': gateways, ...headers } = request.headers
  const seen = { method: request.method, url: request.url, headers, body, throughGateway: gateways !== undefined }
  response.setHeader('Set-Cookie', ['a=1', 'b=2'])
  response.setHeader('Content-Type', 'application/json')
  response.writeHead(request.url === '/missing' ? 404 : 200).end(JSON.stringify(seen))
}

/** A gateway, and a dev server on one port of each of two workspaces; a third one is the network's. */
async function startWorld() {
  const gateway = await startGateway()
  const elsewhere = await startOrigin(answer, { host: '127.18.0.9' })
  for (;;) {
    const one = await startServer('one', '127.18.0.1', 0)
    const two = await startServer('two', '127.18.0.2', one!.port).catch(() => undefined)
    if (two) return { gateway, elsewhere, port: one!.port }
    await one!.close()
  }
}

async function startServer(name: string, host: string, port: number): Promise<Origin> {
  const origin = await startOrigin(answer, { host, port })
  const handleProtocols = (offered: Set<string>) => (offered.has('b') ? 'b' : false)
  const sockets = new WebSocketServer({ server: origin.server as never, path: '/ws', handleProtocols })
  sockets.on('connection', (socket) => socket.on('message', (text) => socket.send(`${name}: ${text}`)))
  return origin
}

function preview(wanted: () => string | undefined) {
  const reported: (string | undefined)[] = []
  const proxy = createPreviewProxy(wanted, ({ code }) => reported.push(code))
  onTestFinished(() => proxy.stop())
  return { proxy, reported }
}

const routeTo = (gateway: Gateway, workspace: string) => ({ cmuxProxyOrigin: gateway.origin(), workspace })

interface Asked {
  method?: string
  headers?: http.OutgoingHttpHeaders
  body?: string
}

/** One request in absolute form, on a connection of its own. */
async function ask({ port, ...context }: Context, url: string, { method = 'GET', headers = {}, body }: Asked = {}) {
  const fields = { Host: new URL(url).host, 'Proxy-Authorization': basic(context), ...headers }
  const sent = http.request({ host: '127.0.0.1', port, path: url, method, headers: fields, agent: false })
  sent.end(body)
  const response = await within(
    'an answer',
    new Promise<http.IncomingMessage>((resolve, reject) => sent.once('response', resolve).once('error', reject)),
  )
  let text = ''
  for await (const part of response) text += part
  const { 'set-cookie': cookies, 'content-type': type } = response.headers
  return { status: response.statusCode, cookies, type, seen: text.startsWith('{') ? JSON.parse(text) : undefined }
}

/** The interface that both `ProxyServer`'s clients and a context's own port need. */
const at = ({ port }: Context) => ({ port: () => port }) as never

async function greet(
  context: Context,
  authority: string,
  way: typeof webSocketByConnect | typeof webSocketByAbsoluteForm,
) {
  const socket = await way(at(context), context, authority, { path: '/ws', protocols: ['a', 'b'] })
  await until('the WebSocket is open', () => socket.readyState === socket.OPEN)
  socket.send('hello')
  const text = await within(
    'an echo',
    new Promise<string>((resolve) => socket.once('message', (it) => resolve(`${it}`))),
  )
  return { text, protocol: socket.protocol }
}

/** The same requests of a client that was written for either. */
async function everyRequest(
  name: 'node' | 'tabport',
  { gateway, elsewhere, port }: Awaited<ReturnType<typeof startWorld>>,
) {
  const { proxy } = preview(() => name)
  const one = await proxy.createContext(1, routeTo(gateway, 'workspace-1'))
  const two = await proxy.createContext(2, routeTo(gateway, 'workspace-2'))
  const released = await proxy.createContext(3, routeTo(gateway, 'workspace-1'))
  released.release()
  const authority = `localhost:${port}`
  const url = `http://${authority}`
  const forged = { 'X-Cmux-Workspace-Internal': 'workspace-2', 'Proxy-Connection': 'keep-alive' }
  const posted = { method: 'POST', body: 'a body', headers: { 'Content-Type': 'text/plain', 'Content-Length': '6' } }
  const chunked = { method: 'PUT', body: 'in chunks', headers: { 'Transfer-Encoding': 'chunked' } }
  const { socket, ...tunnel } = await connectTunnel(at(one), one, authority)
  socket.destroy()
  return {
    get: await ask(one, `${url}/a%2Fb?query=1`, { headers: { Cookie: 'c=3', 'Accept-Encoding': 'br' } }),
    otherTab: await ask(two, `${url}/`),
    otherName: await ask(one, `http://app.localhost:${port}/`),
    head: await ask(one, `${url}/`, { method: 'HEAD' }),
    missing: await ask(one, `${url}/missing`),
    post: await ask(one, `${url}/form`, posted),
    chunked: await ask(one, `${url}/form`, chunked),
    forgedFields: await ask(one, `${url}/`, { headers: forged }),
    noRoute: await ask(await proxy.createContext(4), `http://127.18.0.9:${elsewhere.port}/`, { headers: forged }),
    nobodyThere: (await ask(one, 'http://localhost:1/')).status,
    wrongPassword: (await ask({ ...one, password: 'wrong' }, `${url}/`)).status,
    released: (await ask(released, `${url}/`)).status,
    tunnel: tunnel.status,
    tunnelWithoutCredentials: (await connectTunnel(at(one), undefined, authority)).status,
    upgrade: await greet(one, authority, webSocketByAbsoluteForm),
    webSocketInTunnel: await greet(two, authority, webSocketByConnect),
  }
}

describe('the preview proxy', () => {
  test('does with tabport what it did by hand', async () => {
    const world = await startWorld()
    const byHand = await everyRequest('node', world)
    expect(byHand.get).toMatchObject({ status: 200, seen: { url: '/a%2Fb?query=1', throughGateway: true } })
    expect(byHand.webSocketInTunnel).toEqual({ text: 'two: hello', protocol: 'b' })
    expect([byHand.wrongPassword, byHand.released, byHand.tunnelWithoutCredentials]).toEqual([407, 407, 407])
    expect(await everyRequest('tabport', world)).toEqual(byHand)
  })

  test('is another for tabs that are opened after the flag has changed, and the same again when it changes back', async () => {
    const { gateway, port } = await startWorld()
    let flag = 'tabport'
    const { proxy, reported } = preview(() => flag)
    const open = (id: number) => proxy.createContext(id, routeTo(gateway, 'workspace-1'))
    const first = await open(1)
    flag = 'node'
    const second = await open(2)
    flag = 'tabport'
    const third = await open(3)
    expect([first.port === second.port, first.port === third.port]).toEqual([false, true])
    for (const context of [first, second, third]) {
      expect(await ask(context, `http://localhost:${port}/`)).toMatchObject({ status: 200 })
    }
    expect(reported).toEqual([])
  })

  test('opens a tunnel before anything is dialled with tabport only, and says what has failed inside', async () => {
    const { gateway } = await startWorld()
    const opened = []
    for (const name of ['node', 'tabport']) {
      const context = await preview(() => name).proxy.createContext(1, routeTo(gateway, 'workspace-1'))
      const { status, socket } = await connectTunnel(at(context), context, 'localhost:1')
      socket.write('GET / HTTP/1.1\r\nHost: localhost:1\r\n\r\n')
      const inside = status === 200 ? (await RawClient.over(socket).head()).status : undefined
      opened.push({ status, inside })
    }
    expect(opened).toEqual([
      { status: 502, inside: undefined },
      { status: 200, inside: 502 },
    ])
  })

  test('leaves a route that is refused refused: only what cannot start is replaced', async () => {
    const { proxy, reported } = preview(() => 'tabport')
    const refused = proxy.createContext(1, { cmuxProxyOrigin: 'no origin' })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TABPORT_INVALID_ROUTE' })
    expect(reported).toEqual([])
  })

  test.each([
    ['tabport', {}, ''],
    ['node', {}, ''],
    ['tabport', { TABPORT_NATIVE_LIBRARY_PATH: '/nowhere.node' }, 'tabport is not used (ERR_TABPORT_LOAD): '],
  ])('is %s, with %j', async (flag, environment, told) => {
    const { gateway, port } = await startWorld()
    const env = { ...process.env, ...environment }
    const child = execFile(process.execPath, [`${folder}try.cjs`, flag, gateway.origin(), 'workspace-1'], { env })
    const output = { stdout: '', stderr: '' }
    child.stdout!.on('data', (text) => (output.stdout += text))
    child.stderr!.on('data', (text) => (output.stderr += text))
    const ended = new Promise((resolve) => child.once('close', resolve))
    onTestFinished(async () => {
      child.kill()
      await ended
    })
    await until('a line to paste', () => output.stdout.endsWith('\n'))
    const [, ...args] = output.stdout.trim().replace('3000', String(port)).split(' ')
    expect(JSON.parse(await curl(...args.map((arg) => arg.replace("''", ''))))).toMatchObject({ throughGateway: true })
    expect(output.stderr.slice(0, told.length)).toBe(told)
    expect(output.stderr === '').toBe(told === '')
  })
})
