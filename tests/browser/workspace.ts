// A dev server as a browser meets it: a page that shows its workspace, live reload, a fetch and an event stream.
import type { ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Answer, type Origin, startBait, startOrigin } from '../support/origin.ts'

export interface DevServer {
  origin: Origin
  sockets: Set<WebSocket>
  streams: Set<ServerResponse>
  /** Changes the page and tells every open one to reload. */
  edit(version: string): void
}

/** What a page has seen so far, in `window.seen`. */
export interface Seen {
  messages: string[]
  events: string[]
  api?: string
  closed: boolean
}

/** Two workspaces that listen on one port, and a bait on that port of the real localhost. */
export async function startWorkspaces() {
  for (;;) {
    const one = await startDevServer('one', '127.18.0.1')
    const two = await startDevServer('two', '127.18.0.2', one.origin.port)
    const bait = await startBait(one.origin.port)
    if (bait) return { one, two, bait, url: `http://localhost:${one.origin.port}/` }
    await Promise.all([one.origin.close(), two.origin.close()])
  }
}

async function startDevServer(name: string, host: string, port = 0): Promise<DevServer> {
  let version = 'v1'
  const streams = new Set<ServerResponse>()
  const answer: Answer = (request, response) => {
    if (request.url === '/api') return response.end(JSON.stringify({ from: name }))
    if (request.url === '/events') return openStream(response, streams, name)
    response.setHeader('Content-Type', 'text/html')
    response.end(page(name, version))
  }
  const origin = await startOrigin(answer, { host, port })
  const server = new WebSocketServer({ server: origin.server as never, path: '/live' })
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(`${name}: ${data}`)))
  onTestFinished(() => server.close())
  const edit = (next: string) => {
    version = next
    for (const socket of server.clients) socket.send('reload')
  }
  return { origin, sockets: server.clients, streams, edit }
}

function openStream(response: ServerResponse, streams: Set<ServerResponse>, name: string): void {
  streams.add(response)
  response.once('close', () => streams.delete(response))
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  response.write(`data: hello from ${name}\n\n`)
}

/** What the scripts of the page have seen lies in `window.seen`. */
const page = (name: string, version: string) => `<!doctype html>
<title>workspace ${name}</title>
<h1>${name} ${version}</h1>
<script>
  window.seen = { messages: [], events: [], closed: false }
  const live = new WebSocket(location.origin.replace('http', 'ws') + '/live')
  live.onopen = () => live.send('hello')
  live.onclose = () => { seen.closed = true }
  live.onmessage = ({ data }) => data === 'reload' ? location.reload() : seen.messages.push(data)
  fetch('/api').then((response) => response.json()).then(({ from }) => { seen.api = from })
  new EventSource('/events').onmessage = ({ data }) => seen.events.push(data)
</script>`
