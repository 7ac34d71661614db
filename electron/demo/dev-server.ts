/**
 * A dev server as a workspace would run one: a page with live reload over WebSocket, a JSON endpoint and an event
 * stream. It knows nothing of tabport.
 */
import { type FSWatcher, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { WebSocketServer } from 'ws'
import { removeFolder } from './remove-folder'

const UI = join(__dirname, 'ui', 'workspace')
const TICK_MS = 1_000

/** Editors write a file in several steps; one reload is enough. */
const SETTLE_MS = 50

const CONTENT_TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
}

export interface Project {
  readonly name: string
  readonly project: string
  readonly theme: string
  readonly message: string
}

export interface DevServer extends Project {
  readonly address: string
  readonly port: number
  /** The file that the page shows: write to it, and the page reloads. */
  readonly messageFile: string
  /** Stops serving and removes the workspace's folder. */
  close(): void
}

export async function startDevServer(
  project: Project,
  folder: string,
  address: string,
  wantedPort: number,
): Promise<DevServer> {
  const workspace = join(folder, project.name)
  const messageFile = join(workspace, 'message.txt')
  const server = createServer((request, response) => respond(request, response, { ...project, messageFile }))
  await listening(server, address, wantedPort)
  const { port } = server.address() as AddressInfo
  mkdirSync(workspace)
  writeFileSync(messageFile, `${project.message}\n`)
  const watcher = reloadOnChange(server, workspace)
  const close = (): void => {
    watcher.close()
    server.close()
    removeFolder(workspace)
  }
  return { ...project, address, port, messageFile, close }
}

function listening(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, address, resolve)
  })
}

type Served = Project & { readonly messageFile: string }

function respond(request: IncomingMessage, response: ServerResponse, served: Served): void {
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  switch (`${request.method} ${path}`) {
    case 'GET /':
      sendPage(response, served)
      break
    case 'GET /page.css':
    case 'GET /page.js':
      send(response, 200, extname(path), read(path))
      break
    case 'GET /api/status':
      sendStatus(response, served.name)
      break
    case 'GET /api/events':
      sendTicks(request, response)
      break
    case 'PUT /message':
      saveMessage(request, response, served.messageFile)
      break
    default:
      send(response, 404, '.html', 'Not found')
  }
}

function sendPage(response: ServerResponse, served: Served): void {
  const values: Record<string, string> = { ...served, message: readMessage(served.messageFile) }
  const page = read('page.html').replace(/\{\{(\w+)\}\}/g, (_, key) => escapeHtml(values[key] ?? ''))
  send(response, 200, '.html', page)
}

/** An editor that saves by renaming leaves a moment without a file; the change that follows loads the page again. */
function readMessage(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}

function sendStatus(response: ServerResponse, name: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify({ from: name, time: new Date().toISOString() }))
}

function sendTicks(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  let tick = 0
  const send = (): void => void response.write(`data: ${++tick}\n\n`)
  const timer = setInterval(send, TICK_MS)
  request.on('close', () => clearInterval(timer))
  send()
}

function saveMessage(request: IncomingMessage, response: ServerResponse, file: string): void {
  let text = ''
  request.setEncoding('utf8').on('data', (part) => (text += part))
  request.on('end', () => {
    writeFileSync(file, `${text}\n`)
    response.writeHead(204).end()
  })
}

function send(response: ServerResponse, status: number, extension: string, body: string): void {
  response.writeHead(status, { 'content-type': CONTENT_TYPES[extension], 'cache-control': 'no-store' })
  response.end(body)
}

function reloadOnChange(server: Server, folder: string): FSWatcher {
  const pages = new WebSocketServer({ server, path: '/live' })
  let timer: NodeJS.Timeout | undefined
  const reload = (): void => {
    for (const page of pages.clients) page.send('reload')
  }
  return watch(folder, () => {
    if (timer) clearTimeout(timer)
    timer = setTimeout(reload, SETTLE_MS)
  })
}

const read = (name: string): string => readFileSync(join(UI, name), 'utf8')

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escapeHtml = (text: string): string => text.replace(/[&<>"]/g, (char) => ESCAPES[char]!)
