// What one writes by hand in Node: http and net, connections to upstreams kept alive, bodies and tunnels piped.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const EXPECTED = 'Basic YmVuY2g6YmVuY2g='

export const load = () => ({ http: require('node:http'), net: require('node:net') })

export function start({ http, net }) {
  const agent = new http.Agent({ keepAlive: true, noDelay: true })
  const server = http.createServer({ noDelay: true }, (request, response) => forward(http, agent, request, response))
  server.on('connect', (request, client, early) => tunnel(net, request, client, early))
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', 1024, () => resolve({ port: server.address().port }))
  })
}

function forward(http, agent, request, response) {
  const { 'proxy-authorization': credentials, connection, ...headers } = request.headers
  if (credentials !== EXPECTED) {
    response.writeHead(407, { 'Proxy-Authenticate': 'Basic realm="bench"' }).end()
    return
  }
  const { hostname, port, pathname, search } = new URL(request.url)
  const options = { agent, host: hostname, port, path: pathname + search, method: request.method, headers }
  const upstream = http.request(options, (answer) => {
    response.writeHead(answer.statusCode, answer.headers)
    answer.pipe(response)
  })
  upstream.on('error', () => response.destroy())
  request.pipe(upstream)
}

function tunnel(net, request, client, early) {
  if (request.headers['proxy-authorization'] !== EXPECTED) {
    client.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="bench"\r\n\r\n')
    return
  }
  const { hostname, port } = new URL(`http://${request.url}`)
  const upstream = net.connect({ host: hostname, port, noDelay: true }, () => {
    client.write('HTTP/1.1 200 OK\r\n\r\n')
    upstream.write(early)
    client.pipe(upstream).pipe(client)
  })
  client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy())
  upstream.on('error', () => client.destroy()).on('close', () => client.destroy())
}
