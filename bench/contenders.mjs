// Who is measured: forward proxies, which stand here, gateways and reverse proxies. How each is started, in a process of
// its own, and what it cannot do.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { GATEWAYS } from './gateways.mjs'
import { debianPeer } from './peers.mjs'
import { REVERSE_PROXIES } from './reverse.mjs'
import { configured, freePort, inNode, native } from './starting.mjs'

/** `bench:bench`, for all that let us choose. */
export const CREDENTIALS = 'Basic YmVuY2g6YmVuY2g='

const TUNNELS = ['open', 'bulkDown', 'bulkUp', 'webSocket', 'idle']
const H2 = ['h2']

/**
 * `cannot` names measures that make no sense for a contender; `idle` is how many idle tunnels it is given when it
 * would not survive all of them; `script` marks those that run in a Node process.
 */
const FORWARD_PROXIES = [
  { name: 'tabport', script: 'tabport', what: 'the built addon in a Node process, one context, no `onEvent`' },
  {
    name: 'hyper-2x1',
    start: () => native('minimal-hyper'),
    what: 'a minimal hyper 1 proxy: two current-thread runtimes, `SO_REUSEPORT`',
  },
  {
    name: 'hyper-multi',
    start: () => native('minimal-hyper', '--multi'),
    what: 'the same, on one runtime with two threads',
  },
  {
    name: 'bare-relay',
    start: () => native('bare-relay'),
    cannot: H2,
    what: 'a bound, no proxy: reads where to, then only moves bytes; no credentials, no HTTP',
  },
  { name: 'node-plain', script: 'node-plain', cannot: H2, what: "a hand-written proxy on Node's `http` and `net`" },
  { name: 'proxy-chain', script: 'proxy-chain', cannot: H2, what: 'npm' },
  {
    name: 'mockttp',
    script: 'mockttp',
    cannot: TUNNELS,
    what: 'npm; it looks into tunnels, and asks for no credentials',
  },
  { name: 'squid', start: squid, cannot: H2, what: 'Debian; no cache, no logs' },
  { name: 'tinyproxy', start: tinyproxy, cannot: H2, idle: 2_000, what: 'Debian; closes every connection' },
].map((contender) => ({ ...contender, kind: 'forward' }))

/** All of them. One name may stand for two: what does both is measured as both. */
export const CONTENDERS = [...FORWARD_PROXIES, ...GATEWAYS, ...REVERSE_PROXIES]

/** Starts those that can be; `notes` is told of the others. `load` is what the load must know of each. */
export async function startAll(contenders, origin, notes) {
  const started = []
  for (const { name, kind, script, start } of contenders) {
    try {
      const { child, port, credentials = CREDENTIALS } = await (script ? inNode(script) : start(origin))
      const address = `127.0.0.1:${port}`
      const whom = kind === 'forward' ? ['--proxy', address, '--credentials', credentials] : ['--reverse', address]
      started.push({ name, child, load: [...whom, '--pid', String(child.pid)] })
    } catch (error) {
      notes.push(`${name} did not start: ${error.message.trim().slice(0, 200)}`)
    }
  }
  return started
}

async function squid() {
  const { bin, env, libraries, share, directory } = debianPeer('squid')
  const port = await freePort()
  const helper = path.join(directory, 'credentials.sh')
  const check = 'while read -r user password; do [ "$user $password" = "bench bench" ] && echo OK || echo ERR; done'
  writeFileSync(helper, `#!/bin/sh\n${check}\n`, { mode: 0o755 })
  const configuration = [
    `http_port 127.0.0.1:${port}`,
    `auth_param basic program ${helper}`,
    'auth_param basic children 1',
    'acl known proxy_auth REQUIRED',
    'http_access allow known',
    'http_access deny all',
    'cache deny all',
    'access_log none',
    'cache_store_log none',
    'cache_log /dev/null',
    'pid_filename none',
    'pinger_enable off',
    'shutdown_lifetime 0 seconds',
    `unlinkd_program ${libraries}/squid/unlinkd`,
    `logfile_daemon ${libraries}/squid/log_file_daemon`,
    `error_directory ${share}/squid/errors/templates`,
    `icon_directory ${share}/squid/icons`,
    `mime_table ${share}/squid/mime.conf`,
    `coredump_dir ${directory}`,
  ]
  return configured(bin, ['-N', '-d1', '-f'], path.join(directory, 'bench.conf'), configuration, env, port)
}

async function tinyproxy() {
  const { bin, env, share, directory } = debianPeer('tinyproxy')
  const port = await freePort()
  const configuration = [
    `Port ${port}`,
    'Listen 127.0.0.1',
    'Allow 127.0.0.0/8',
    'BasicAuth bench bench',
    'MaxClients 10000',
    'Timeout 600',
    'LogLevel Critical',
    'DisableViaHeader Yes',
    `DefaultErrorFile "${share}/tinyproxy/default.html"`,
  ]
  return configured(bin, ['-d', '-c'], path.join(directory, 'bench.conf'), configuration, env, port)
}
