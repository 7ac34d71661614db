/**
 * What the wire cases ask for: each path ends in what it wants to be done, and begins with the number of its case, so
 * that `/seen` and `/completed` can tell whose requests have come this far.
 */
import { once } from 'node:events'
import http from 'node:http'

const LARGE = 'x'.repeat(300_000)

/** Starts a server on a port of its own. */
export async function startOrigin() {
  const seen = []
  const completed = []
  const server = http.createServer(async (request, response) => {
    const { url } = request
    if (url === '/seen') return respond(response, JSON.stringify(seen))
    if (url === '/completed') return respond(response, JSON.stringify(completed))
    seen.push(url)
    if (url.endsWith('/held')) return
    const length = await readToEnd(request).catch(() => undefined)
    if (length === undefined) return
    completed.push(url)
    respond(response, bodyFor(url, request, length))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: server.address().port,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function readToEnd(request) {
  let length = 0
  for await (const piece of request) length += piece.length
  return length
}

function bodyFor(url, { headers, headersDistinct, trailers }, length) {
  if (url.endsWith('/length')) return String(length)
  if (url.endsWith('/large')) return LARGE
  if (url.endsWith('/fields')) return JSON.stringify({ headers, cookie: headersDistinct.cookie, trailers })
  return 'ok'
}

function respond(response, body) {
  response.setHeader('Content-Length', Buffer.byteLength(body))
  response.end(body)
}
