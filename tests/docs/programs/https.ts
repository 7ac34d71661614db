import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ProxyServer } from 'tabport'
import { ProxyAgent, request } from 'undici'

const server = createServer((_, response) => response.end('in clear')).listen(0, '127.18.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo

const proxy = await ProxyServer.listen()
const context = proxy.createContext(1, { upstream: 'http://127.18.0.1:{port}' })

const dispatcher = new ProxyAgent({
  uri: `http://127.0.0.1:${proxy.port()}`,
  token: `Basic ${Buffer.from(`${context.username}:${context.password}`).toString('base64')}`,
  requestTls: { ca: proxy.certificateAuthority().pem },
})
const { statusCode, body } = await request(`https://localhost:${port}/`, { dispatcher })

assert.deepEqual([statusCode, await body.text()], [200, 'in clear'])
await dispatcher.close()
await proxy.stop()
server.close()
