// nginx and haproxy, as gateways and as reverse proxies: what they have in common is here, what differs is handed in.
//
// Both run as their manuals ask for on such a machine: as many workers (nginx, `worker_processes auto`) or threads
// (haproxy, `nbthread`, by default) as there are cores, connections to upstreams kept and shared, no logs. nginx's workers
// have a listening socket each, and its connections are not closed after the thousand requests of its default.
import { mkdirSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { debianPeer } from './peers.mjs'
import { configured, freePort } from './starting.mjs'

const WORKERS = os.availableParallelism()
const CONNECTIONS = 4096
const NO_END = 1_000_000_000

/**
 * Starts nginx. `upstreams` are addresses by name; `http` and `server` are further lines of these blocks, `to` is
 * the upstream that requests go to.
 */
export async function nginx(upstreams, { http = [], server = [], to }) {
  const { bin, env, directory } = debianPeer('nginx')
  const port = await freePort()
  const kept = Object.entries(upstreams).map(
    ([name, address]) =>
      `upstream ${name} { server ${address}; keepalive ${CONNECTIONS}; keepalive_requests ${NO_END}; }`,
  )
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${kind};`)
  mkdirSync(path.join(directory, 'logs'), { recursive: true })
  const lines = [
    ...(process.getuid() === 0 ? ['user root;'] : []),
    'daemon off;',
    `worker_processes ${WORKERS};`,
    'pid nginx.pid;',
    'error_log stderr crit;',
    `events { worker_connections ${CONNECTIONS}; }`,
    'http {',
    ...temporary,
    'access_log off;',
    `keepalive_requests ${NO_END};`,
    ...kept,
    ...http,
    'server {',
    `listen 127.0.0.1:${port} reuseport;`,
    'tcp_nodelay on;',
    'client_max_body_size 0;',
    'proxy_http_version 1.1;',
    'proxy_set_header Connection "";',
    'proxy_set_header Host $http_host;',
    // Nothing waits for a disk.
    'proxy_request_buffering off;',
    'proxy_max_temp_file_size 0;',
    ...server,
    `location / { proxy_pass http://${to}; }`,
    `location /stream/ { proxy_pass http://${to}; proxy_buffering off; }`,
    '} }',
  ]
  return configured(bin, ['-p', directory, '-c'], path.join(directory, 'bench.conf'), lines, env, port)
}

/** Starts haproxy. `upstreams` are addresses by name; `frontend` and `backend` are further lines of these sections. */
export async function haproxy(upstreams, { frontend, backend = [] }) {
  const { bin, env, directory } = debianPeer('haproxy')
  const port = await freePort()
  const lines = [
    'global',
    `nbthread ${WORKERS}`,
    `maxconn ${CONNECTIONS}`,
    'defaults',
    'mode http',
    'http-reuse always',
    // For streams of events: without it the system holds small pieces back.
    'option http-no-delay',
    'option splice-auto',
    'timeout connect 10s',
    'timeout client 60s',
    'timeout server 60s',
    'frontend bench',
    `bind 127.0.0.1:${port}`,
    ...frontend,
    ...Object.entries(upstreams).flatMap(([name, address]) => [
      `backend ${name}`,
      ...backend,
      `server ${name} ${address}`,
    ]),
  ]
  return configured(bin, ['-db', '-f'], path.join(directory, 'bench.cfg'), lines, env, port)
}

/** Writes a file that haproxy reads, and returns its path. */
export function haproxyFile(name, lines) {
  const file = path.join(debianPeer('haproxy').directory, name)
  writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}
