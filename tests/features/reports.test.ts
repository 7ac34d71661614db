// The rows about what the proxy says of itself: in its own answers, in events, and in the log it does not keep.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ProxyContextInfo, ProxyServer } from 'tabport'
import { expect, test } from 'vitest'
import { http2Request, http2Session } from '../support/clients.ts'
import { startRawOrigin, startTlsOrigin } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { authorization, basic, startObserved } from '../support/proxy.ts'
import { RawClient } from '../support/raw-client.ts'
import { connectTo, inAbsoluteForm, openTunnel, request, tab } from './fixture.ts'

const SECRETS = ['cookie-secret', 'bearer-secret', 'query-secret', 'password-secret', 'body-secret']
const AUTHORITY = 'localhost:3000'
const FIELDS = 'Cookie: sid=cookie-secret\r\nAuthorization: Bearer bearer-secret\r\n'

/** Asks in a way that fails, and says where: none of it may be in the answer. */
type Fail = (proxy: ProxyServer, routed: (upstream: string) => ProxyContextInfo) => Promise<RawClient>

const ask = (proxy: ProxyServer, context: ProxyContextInfo, authority = AUTHORITY) =>
  inAbsoluteForm({ proxy, context, authority }, { path: '/?query-secret', fields: FIELDS })
const upstreamThat = async (says: string) =>
  `http://127.0.0.1:${(await startRawOrigin((socket) => socket.once('data', () => socket.end(says)))).port}`
const raw = async (proxy: ProxyServer, said: string) => (await RawClient.connect(proxy.port())).send(said)
const get = (fields: string) => request(`GET http://${AUTHORITY}/?query-secret`, AUTHORITY, FIELDS + fields)

const FAILURES: [status: number, token: string, what: string, fail: Fail][] = [
  [400, 'http_request_error', 'a bad request', (proxy) => raw(proxy, get('X A: b\r\n'))],
  [407, 'http_request_denied', 'no credentials', (proxy) => raw(proxy, get(''))],
  [431, 'http_request_error', 'a large head', (proxy) => raw(proxy, get(`X-A: ${'a'.repeat(70_000)}\r\n`))],
  [403, 'destination_ip_prohibited', 'the own machine', (proxy, to) => ask(proxy, to('http://a.test'), '127.1:3000')],
  [508, 'proxy_loop_detected', 'a loop', (proxy, to) => ask(proxy, to(`http://127.0.0.1:${proxy.port()}`))],
  [502, 'dns_error', 'no such name', (proxy, to) => ask(proxy, to('http://nowhere.invalid'))],
  [502, 'connection_refused', 'nobody there', (proxy, to) => ask(proxy, to('http://127.0.0.1:1'))],
  [
    502,
    'tls_certificate_error',
    'a certificate of nobody',
    async (proxy, to) => ask(proxy, to(`https://127.0.0.1:${(await startTlsOrigin()).port}`)),
  ],
  [
    502,
    'tls_protocol_error',
    'no TLS',
    async (proxy, to) => ask(proxy, to((await upstreamThat('x')).replace(':', 's:'))),
  ],
  [502, 'connection_terminated', 'no answer', async (proxy, to) => ask(proxy, to(await upstreamThat('')))],
  [
    502,
    'http_protocol_error',
    'an answer that is none',
    async (proxy, to) => ask(proxy, to(await upstreamThat('no\n\n'))),
  ],
  [
    504,
    'http_response_timeout',
    'an answer too late',
    async (proxy, to) => ask(proxy, to(`http://127.0.0.1:${(await startRawOrigin(() => {})).port}`)),
  ],
  [
    421,
    'http_request_error',
    'another authority in a tunnel',
    async (proxy, to) => {
      const tunnel = await openTunnel({ proxy, context: to('http://a.test'), authority: AUTHORITY })
      return tunnel.send(request('GET http://other.test/?query-secret', 'other.test', FIELDS))
    },
  ],
]

test.each(FAILURES)('row 58, body-less error format: %i, %s: %s', async (status, token, _what, fail) => {
  const { proxy, events } = await startObserved({ timeouts: { responseHead: 100 } })
  const context = (upstream: string) => proxy.createContext(1, { upstream })
  const answer = await (await fail(proxy, context)).response()
  expect([answer.status, ...answer.all('Proxy-Status')]).toEqual([status, `tabport; error=${token}`])
  expect(answer.all('Content-Type')).toEqual(['text/plain; charset=utf-8'])
  // One sentence in plain words: no address, no port, no path, no word of the code's or of the system's.
  expect(answer.body).toMatch(/^[A-Za-z' ,:]+\n$/)
  expect(answer.body).not.toMatch(/hyper|rustls|tokio|panic|errno|os error|secret|localhost/i)
  await until('the event', () => events.some((event) => event.type === 'error' && event.code === token))
  expect(JSON.stringify(events)).not.toMatch(/secret/)
})

/** Talks to a proxy in a process of its own, with all that a log could be switched on by. */
const PROGRAM = `
  const http = require('node:http')
  const { ProxyServer } = require('./index.js')
  const secret = { Cookie: 'cookie-secret', Authorization: 'Bearer bearer-secret' }
  ProxyServer.listen().then(async (proxy) => {
    const { username, password } = proxy.createContext(1)
    for (const credentials of [username + ':' + password, 'wrong:password-secret']) {
      const field = { 'Proxy-Authorization': 'Basic ' + Buffer.from(credentials).toString('base64') }
      const options = { host: '127.0.0.1', port: proxy.port(), agent: false, headers: { ...secret, ...field } }
      await new Promise((resolve) => {
        const path = 'http://nowhere.invalid/?query-secret'
        http.get({ ...options, path }, (answer) => answer.resume().once('end', resolve))
      })
    }
    const { requests, connections } = proxy.stats().total
    await proxy.stop()
    process.exitCode = requests === 1 && connections === 2 ? 7 : 1
  })`

test('row 59, logging toggle, redaction: nothing is printed, whatever the environment says', async () => {
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const on = { RUST_LOG: 'trace', RUST_BACKTRACE: '1', TABPORT_LOG: '1', DEBUG: '*' }
  const ran = promisify(execFile)(process.execPath, ['-e', PROGRAM], { cwd, env: { ...process.env, ...on } })
  expect(await ran.catch((ended) => ended)).toMatchObject({ code: 7, stdout: '', stderr: '' })
})

test('row 59, logging toggle, redaction: events are off until asked for, and then show no secret', async () => {
  const { origin, route } = await tab()
  const { proxy, events } = await startObserved()
  const context = proxy.createContext(1, route)
  const authority = `localhost:${origin.port}`
  const target = { method: 'POST', path: '/?query-secret', fields: `${FIELDS}Content-Length: 11\r\n` }
  await (await inAbsoluteForm({ proxy, context, authority }, { ...target, body: 'body-secret' })).response()
  const wrong = authorization({ ...context, password: 'password-secret' })
  await (await raw(proxy, connectTo({ context, authority }).replace(authorization(context), wrong))).head()
  const pseudo = { ':method': 'GET', ':scheme': 'http', ':authority': authority, ':path': '/?query-secret' }
  const fields = { 'proxy-authorization': basic(context), cookie: 'cookie-secret' }
  await http2Request(http2Session(proxy), { ...pseudo, ...fields })
  await until('the events', () => events.filter(({ type }) => type === 'request').length === 2)
  const said = JSON.stringify(events)
  for (const secret of [...SECRETS, context.password, basic(context).slice(6)]) expect(said).not.toContain(secret)
  expect(JSON.stringify(origin.seen)).toContain('cookie-secret')
})
