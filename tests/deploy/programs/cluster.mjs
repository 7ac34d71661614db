/**
 * A cluster in small, for `tests/deploy/cluster.test.ts`: DNS with the names of two workspaces, and one workspace's server.
 * It runs in a network of its own, where port 53 is free and 10.18.0.1 an address of nobody else.
 *
 * cluster.mjs TEMPLATE COMMAND...: starts the gateway with a workspace template, asks through it for the workspaces in
 * standard input, a JSON array, and prints what came of each, and what DNS has been asked for.
 */
import { spawn } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import http from 'node:http'
import { json, text } from 'node:stream/consumers'

const SERVER = '10.18.0.1'
const ZONE = {
  'workspace-1.ws.test': SERVER,
  'rebound.ws.test': '127.0.0.1',
  'mapped.ws.test': '0.0.0.0',
  // What a name becomes with the domain that resolv.conf says to try first.
  'workspace-1.ws.test.search.test': '10.18.0.66',
}
const A = 1

const [template, ...command] = process.argv.slice(2)
const asked = new Set()
const dns = dgram.createSocket('udp4').on('message', (query, peer) => dns.send(answer(query), peer.port, peer.address))
const server = http.createServer((request, response) => response.end(`workspace ${request.headers.host}`))
dns.bind(53, '127.0.0.1')
server.listen(0, SERVER)
await Promise.all([once(dns, 'listening'), once(server, 'listening')])

const [program, ...args] = [...command, '--listen=127.0.0.1:0', `--workspace-host=${template}`]
const gateway = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
const gone = once(gateway, 'exit').then(([code]) => Promise.reject(new Error(`the gateway has ended with ${code}`)))
const heard = once(gateway.stdout.setEncoding('utf8'), 'data')
const [line] = await Promise.race([heard, gone])
const port = Number(/listening on .*:(\d+)/.exec(line)[1])
const answers = {}
for (const workspace of await json(process.stdin)) answers[workspace] = await ask(workspace)
console.log(JSON.stringify({ answers, asked: [...asked] }))
gateway.kill('SIGTERM')
await gone.catch(() => {})
server.close()
dns.close()

async function ask(workspace) {
  const headers = {
    host: 'localhost:3000',
    'x-cmux-port-internal': server.address().port,
    'x-cmux-workspace-internal': workspace,
  }
  const [response] = await once(http.get({ host: '127.0.0.1', port, headers, agent: false }), 'response')
  const token = /error=(\w+)/.exec(response.headers['proxy-status'] ?? '')?.[1]
  return { status: response.statusCode, body: await text(response), token }
}

/** An answer to a query (RFC 1035, section 4): the address that the zone has, none of that type, or no such name. */
function answer(query) {
  const labels = []
  let at = 12
  for (; query[at] !== 0; at += query[at] + 1) labels.push(query.toString('latin1', at + 1, at + 1 + query[at]))
  const name = labels.join('.').toLowerCase()
  asked.add(name)
  const question = query.subarray(12, at + 5)
  const address = ZONE[name]
  const isAnswered = address !== undefined && query.readUInt16BE(at + 1) === A
  const head = Buffer.from([query[0], query[1], 0x81, address ? 0x80 : 0x83, 0, 1, 0, isAnswered ? 1 : 0, 0, 0, 0, 0])
  if (!isAnswered) return Buffer.concat([head, question])
  const record = Buffer.from([0xc0, 12, 0, A, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)])
  return Buffer.concat([head, question, record])
}
