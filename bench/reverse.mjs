// Reverse proxies: each has one upstream, and sends it what it is sent.
import { door } from './paths.mjs'
import { haproxy, nginx } from './servers.mjs'
import { listening, native } from './starting.mjs'

export const REVERSE_PROXIES = [
  {
    name: 'headroom-proxy',
    door: 'headroom-proxy',
    start: ({ ports: [port] }) => listening(door('headroom-proxy'), reverseArguments(port)),
    what: "default flags but for its log, which is off as the others' are",
  },
  { name: 'nginx', start: nginxReverse, what: 'Debian; streams of events are not buffered, and no body on disk' },
  {
    name: 'haproxy',
    start: haproxyReverse,
    what: 'Debian; `option http-no-delay` for streams of events, `option splice-auto` for long bodies',
  },
  {
    name: 'axum-reqwest',
    start: ({ ports: [port] }) => native('axum-reqwest', '--upstream', `http://127.0.0.1:${port}`),
    what: 'a catch-all route of axum that sends on what it gets with reqwest, as streams; one runtime',
  },
].map((contender) => ({ ...contender, kind: 'reverse' }))

const reverseArguments = (port) => [
  '--listen',
  '127.0.0.1:0',
  '--upstream',
  `http://127.0.0.1:${port}`,
  '--log-level',
  'off',
]

function nginxReverse({ ports: [port] }) {
  return nginx({ origin: `127.0.0.1:${port}` }, { to: 'origin' })
}

function haproxyReverse({ ports: [port] }) {
  return haproxy({ origin: `127.0.0.1:${port}` }, { frontend: ['default_backend origin'] })
}
