// Reverse proxies: each has one upstream, and sends it what it is sent.
import { Child } from './children.mjs'
import { door } from './paths.mjs'
import { haproxy, nginx } from './servers.mjs'
import { native } from './starting.mjs'

export const REVERSE_PROXIES = [
  {
    name: 'headroom-proxy',
    door: 'headroom-proxy',
    start: headroom,
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

/** It says where it listens in its log, whatever else is in there. */
async function headroom({ ports: [port] }) {
  const upstream = `http://127.0.0.1:${port}`
  const arguments_ = ['--listen', '127.0.0.1:0', '--upstream', upstream, '--log-level', 'off']
  const child = new Child(door('headroom-proxy'), arguments_)
  const { fields } = await child.answer()
  return { child, port: Number(fields.address.split(':').at(-1)) }
}

function nginxReverse({ ports: [port] }) {
  return nginx({ origin: `127.0.0.1:${port}` }, { to: 'origin' })
}

function haproxyReverse({ ports: [port] }) {
  return haproxy({ origin: `127.0.0.1:${port}` }, { frontend: ['default_backend origin'] })
}
