// A preview proxy as Electron apps write it by hand: credentials for each WebContents, localhost to a workspace gateway,
// everything else to where it says.
const { randomBytes } = require('crypto')
const http = require('http')
const net = require('net')
const { pipeline } = require('stream')

const FIRST_PORT = 39385
const ATTEMPTS = 50

exports.startNodeProxy = async function startNodeProxy() {
  const contexts = new Map()
  const contextOf = (request) => contexts.get(tokenOf(request))
  const server = http.createServer((request, response) => forward(request, response, contextOf(request)))
  server.on('upgrade', (request, socket, head) => upgrade(request, socket, head, contextOf(request)))
  server.on('connect', (request, socket, head) => connect(request, socket, head, contextOf(request)))
  await listenOnFirstFreePort(server)
  return {
    port: server.address().port,
    createContext(webContentsId, route) {
      const id = randomBytes(8).toString('hex')
      const username = `wc-${webContentsId}-${id}`
      const password = randomBytes(16).toString('hex')
      contexts.set(Buffer.from(`${username}:${password}`).toString('base64'), { id, route })
      return { id, username, password, webContentsId }
    },
    releaseContext(id) {
      for (const [token, context] of contexts) if (context.id === id) contexts.delete(token)
    },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** Moves on from a port that is in use, and from nothing else. */
async function listenOnFirstFreePort(server) {
  for (let port = FIRST_PORT; port < FIRST_PORT + ATTEMPTS; port++) {
    const error = await listen(server, port)
    if (!error) return
    if (error.code !== 'EADDRINUSE') throw error
  }
  throw new Error(`no free port among ${FIRST_PORT} to ${FIRST_PORT + ATTEMPTS - 1}`)
}

function listen(server, port) {
  return new Promise((resolve) => {
    server.once('error', resolve)
    server.listen(port, '127.0.0.1', () => {
      server.removeListener('error', resolve)
      resolve(undefined)
    })
  })
}

function tokenOf({ headers }) {
  const [scheme, token] = (headers['proxy-authorization'] || '').split(' ')
  return scheme.toLowerCase() === 'basic' ? token : undefined
}

/** Where a host and port lead in a context, and what has to be said there. */
function destination({ route }, host, port) {
  if (!route || !isLoopback(host)) return { host: host.replace(/^\[|\]$/g, ''), port, fields: {} }
  const gateway = new URL(route.cmuxProxyOrigin)
  const fields = { 'X-Cmux-Port-Internal': String(port), 'X-Cmux-Host-Override': `${host}:${port}` }
  if (route.workspace) fields['X-Cmux-Workspace-Internal'] = route.workspace
  return { host: gateway.hostname, port: Number(gateway.port) || 80, fields, gateway: true }
}

const isLoopback = (host) => /^(.+\.)?localhost$|^127\.\d+\.\d+\.\d+$|^\[?::1\]?$|^0\.0\.0\.0$/.test(host)

/** What ends at this hop, and what nobody but us may tell the gateway. */
const NOT_PASSED_ON = /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|x-cmux-.*)$/i

/** Names and values in their order. */
function passedOn(rawHeaders) {
  const fields = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (!NOT_PASSED_ON.test(rawHeaders[at])) fields.push([rawHeaders[at], rawHeaders[at + 1]])
  }
  return fields
}

function forward(request, response, context) {
  if (!context) {
    response.writeHead(407, { 'Proxy-Authenticate': 'Basic realm="preview"' })
    response.end('proxy authentication required\n')
    return
  }
  const url = new URL(request.url)
  const { host, port, fields } = destination(context, url.hostname, Number(url.port) || 80)
  const sent = http.request({ host, port, method: request.method, path: url.pathname + url.search, setHost: false })
  copy(passedOn(request.rawHeaders), sent)
  copy(Object.entries(fields), sent)
  sent.on('response', (answer) => {
    copy(passedOn(answer.rawHeaders), response)
    response.writeHead(answer.statusCode, answer.statusMessage)
    pipeline(answer, response, () => {})
  })
  pipeline(request, sent, (error) => {
    if (!error) return
    if (response.headersSent) response.destroy()
    else response.writeHead(502).end('bad gateway\n')
  })
}

/** A field may be there more than once, as Set-Cookie is. */
function copy(fields, message) {
  const values = new Map()
  for (const [name, value] of fields) values.set(name, (values.get(name) || []).concat(value))
  for (const [name, all] of values) message.setHeader(name, all.length > 1 ? all : all[0])
}

function upgrade(request, socket, head, context) {
  if (!context) return refuse(socket)
  const url = new URL(request.url.replace(/^ws/, 'http'))
  const { host, port, fields } = destination(context, url.hostname, Number(url.port) || 80)
  const upstream = net.connect(port, host, () => {
    const own = [['Connection', 'Upgrade'], ['Upgrade', request.headers.upgrade], ...Object.entries(fields)]
    upstream.write(
      `GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines(passedOn(request.rawHeaders).concat(own))}\r\n`,
    )
    join(socket, upstream, head)
  })
  upstream.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'))
}

function connect(request, socket, head, context) {
  if (!context) return refuse(socket)
  const { hostname, port: asked } = new URL(`http://${request.url}`)
  const { host, port, fields, gateway } = destination(context, hostname, Number(asked) || 80)
  const upstream = net.connect(port, host, () => {
    // The gateway answers the CONNECT itself, and its answer is the client's.
    if (gateway)
      upstream.write(`CONNECT ${request.url} HTTP/1.1\r\nHost: ${request.url}\r\n${lines(Object.entries(fields))}\r\n`)
    else socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    join(socket, upstream, head)
  })
  upstream.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'))
}

function refuse(socket) {
  socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="preview"\r\n\r\n')
}

function join(socket, upstream, head) {
  if (head.length > 0) upstream.write(head)
  pipeline(socket, upstream, socket, () => {})
}

const lines = (fields) => fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
