// Gateways: each leads a request to the server of a workspace by the two routing fields, and removes them.
import { door } from './paths.mjs'
import { haproxy, haproxyFile, nginx } from './servers.mjs'
import { listening } from './starting.mjs'

/** The names that requests have, and where these workspaces are. */
export const WORKSPACES = { 'workspace-1': '127.18.0.1', 'workspace-2': '127.18.0.2' }

const PORT = 'X-Cmux-Port-Internal'
const WORKSPACE = 'X-Cmux-Workspace-Internal'

export const GATEWAYS = [
  {
    name: 'cmux-proxy',
    door: 'cmux-proxy',
    start: () => listening(door('cmux-proxy'), ['--listen', '127.0.0.1:0']),
    what: 'default flags; it also checks who asks, looks for loops, and counts',
  },
  { name: 'nginx', start: nginxGateway, what: 'Debian; `map` from both fields to an `upstream`' },
  { name: 'haproxy', start: haproxyGateway, what: 'Debian; `use_backend` by a map of both fields' },
].map((contender) => ({ ...contender, kind: 'gateway' }))

function nginxGateway({ ports: [port] }) {
  const field = (name) => `$http_${name.toLowerCase().replaceAll('-', '_')}`
  const ways = Object.keys(WORKSPACES).map((name) => `"${name}:${port}" ${name};`)
  return nginx(upstreams(port), {
    http: [`map "${field(WORKSPACE)}:${field(PORT)}" $workspace { ${ways.join(' ')} }`],
    server: [PORT, WORKSPACE].map((name) => `proxy_set_header ${name} "";`),
    to: '$workspace',
  })
}

function haproxyGateway({ ports: [port] }) {
  const ways = Object.keys(WORKSPACES).map((name) => `${name}:${port} ${name}`)
  const map = haproxyFile('workspaces.map', ways)
  return haproxy(upstreams(port), {
    frontend: [
      `http-request set-var(req.port) req.hdr(${PORT})`,
      `use_backend %[req.hdr(${WORKSPACE}),concat(:,req.port),map(${map})]`,
    ],
    backend: [PORT, WORKSPACE].map((name) => `http-request del-header ${name}`),
  })
}

const upstreams = (port) =>
  Object.fromEntries(Object.entries(WORKSPACES).map(([name, address]) => [name, `${address}:${port}`]))
