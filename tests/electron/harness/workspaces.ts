/** Two workspaces and the user's own machine, all on one port: who is reached tells where a request has gone. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocketServer } from 'ws'

const WORKSPACES = ['127.18.0.1', '127.18.0.2']
const OWN_MACHINE = ['127.0.0.1', '::1']

/**
 * A dev server: a page that says its name, `/api`, `/events`, a script at `/cacheable.js`, a service worker, and a WebSocket
 * at `/ws` that greets and echoes.
 */
export interface DevServer {
  readonly name: string
  readonly address: string
  /** TCP connections ever accepted: zero means that not a byte has come this way. */
  readonly connections: () => number
  readonly requests: () => string[]
  /** WebSockets open now. */
  readonly sockets: () => number
  close(): Promise<void>
}

export interface Workspaces {
  readonly port: number
  /** What both tabs show. */
  readonly url: string
  readonly one: DevServer
  readonly two: DevServer
  /** The real localhost: the address no routed tab may ever reach. */
  readonly ownMachine: DevServer[]
  readonly all: DevServer[]
  readonly routes: { one: { upstream: string }; two: { upstream: string } }
  close(): Promise<void>
}

export async function startWorkspaces(): Promise<Workspaces> {
  const own = await listen('own-machine', OWN_MACHINE[0]!, 0)
  const port = (own.server.address() as AddressInfo).port
  try {
    const [one, two] = await Promise.all(WORKSPACES.map((address, i) => listen(`workspace-${i + 1}`, address, port)))
    const own6 = await listen('own-machine', OWN_MACHINE[1]!, port).catch(ignoreMissingIpv6)
    const ownMachine = own6 ? [own.dev, own6.dev] : [own.dev]
    const all = [one!.dev, two!.dev, ...ownMachine]
    return {
      port,
      url: `http://localhost:${port}/`,
      one: one!.dev,
      two: two!.dev,
      ownMachine,
      all,
      routes: { one: routeTo(WORKSPACES[0]!), two: routeTo(WORKSPACES[1]!) },
      close: async () => void (await Promise.all(all.map((server) => server.close()))),
    }
  } catch (error) {
    await own.dev.close()
    throw error
  }
}

const routeTo = (address: string) => ({ upstream: `http://${address}:{port}` })

function ignoreMissingIpv6(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'EADDRNOTAVAIL' && error.code !== 'EAFNOSUPPORT') throw error
}

async function listen(name: string, address: string, port: number): Promise<{ dev: DevServer; server: Server }> {
  const requests: string[] = []
  const open = new Set<Socket>()
  let connections = 0
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    answer(name, request, response)
  })
  server.on('connection', (socket) => {
    connections += 1
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  })
  const sockets = greetAndEcho(name, server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, address, resolve)
  })
  const close = async (): Promise<void> => {
    for (const socket of open) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
  const dev = { name, address, connections: () => connections, requests: () => requests, sockets, close }
  return { dev, server }
}

function answer(name: string, request: IncomingMessage, response: ServerResponse): void {
  if (request.url === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`data: ${name}\n\n`)
    return
  }
  if (request.url === '/cacheable.js' || request.url === '/worker.js') {
    response.writeHead(200, { 'content-type': 'text/javascript', 'cache-control': 'max-age=3600' })
    response.end(request.url === '/worker.js' ? WORKER : 'loaded = true')
    return
  }
  const html = request.url === '/'
  response.writeHead(200, { 'content-type': html ? 'text/html' : 'text/plain', 'cache-control': 'no-store' })
  response.end(html ? `<!doctype html><title>${name}</title><body>${name}</body>` : `${name} ${request.url}`)
}

const WORKER = `
  addEventListener('activate', (event) => event.waitUntil(clients.claim()))
  addEventListener('fetch', (event) => {
    if (event.request.url.endsWith('/worked')) event.respondWith(fetch('/api').then((answer) => answer.text()).then(
      (text) => new Response('the worker has ' + text)))
  })`

function greetAndEcho(name: string, server: Server): () => number {
  const webSockets = new WebSocketServer({ server, path: '/ws' })
  webSockets.on('connection', (socket) => {
    socket.send(`hello from ${name}`)
    socket.on('message', (message) => socket.send(`${name}: ${message}`))
  })
  return () => webSockets.clients.size
}
