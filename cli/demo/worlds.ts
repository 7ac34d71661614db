// The two worlds of the demo: a web server each, on one port of two loopback addresses where the system has two.
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const PREFERRED_PORT = 3000
const ADDRESSES = ['127.18.0.1', '127.18.0.2']
const WORLDS = [
  { name: 'Orchard', colour: '#2e7d32', says: 'The apples are in.' },
  { name: 'Harbour', colour: '#1565c0', says: 'The boats are out.' },
]

export interface World {
  name: string
  says: string
  /** Where its server listens. */
  origin: string
  /** The route that leads there. */
  route: { upstream: string }
}

export interface Worlds {
  all: World[]
  /** What both are opened with. */
  url: string
  close(): void
}

export async function startWorlds(): Promise<Worlds> {
  for (const port of [PREFERRED_PORT, 0]) {
    const worlds = await startOn(ADDRESSES, port).catch(() => undefined)
    if (worlds) return worlds
  }
  // Systems other than Linux answer on 127.0.0.1 alone: a template without {port} leads every port there.
  return startOn(['127.0.0.1', '127.0.0.1'], 0)
}

async function startOn(addresses: string[], wanted: number): Promise<Worlds> {
  const servers: Server[] = []
  const close = () => {
    for (const server of servers) server.close().closeAllConnections()
  }
  const one = new Set(addresses).size === 1
  try {
    for (const [index, address] of addresses.entries()) {
      const port = one ? 0 : servers[0] ? portOf(servers[0]) : wanted
      servers.push(
        await listen(
          createServer((_, response) => answer(response, index)),
          port,
          address,
        ),
      )
    }
  } catch (error) {
    close()
    throw error
  }
  const all = servers.map((server, index) => worldOf(index, addresses[index]!, portOf(server), one))
  return { all, url: `http://localhost:${one ? PREFERRED_PORT : portOf(servers[0]!)}/`, close }
}

function worldOf(index: number, address: string, port: number, one: boolean): World {
  const { name, says } = WORLDS[index]!
  return {
    name,
    says,
    origin: `http://${address}:${port}`,
    route: { upstream: `http://${address}:${one ? port : '{port}'}` },
  }
}

function listen(server: Server, port: number, address: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, address, () => resolve(server))
  })
}

const portOf = (server: Server) => (server.address() as AddressInfo).port

function answer(response: ServerResponse, index: number): void {
  const { name, colour, says } = WORLDS[index]!
  response.setHeader('Content-Type', 'text/html; charset=utf-8')
  response.end(`<!doctype html>
<title>${name}</title>
<style>
  body { margin: 0; height: 100vh; display: grid; place-content: center; background: ${colour}; color: #fff;
    font: 1.5rem system-ui, sans-serif; text-align: center }
  code { background: #0004; padding: .2em .5em; border-radius: .3em }
</style>
<h1>${name}</h1>
<p>${says}</p>
<p>You are at <code id="url"></code></p>
<script>url.textContent = location.href</script>
`)
}
