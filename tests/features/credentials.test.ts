// The rows about who may use the proxy. What is refused never reaches an origin.
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { http2Session } from '../support/clients.ts'
import { startRawOrigin, text } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'
import { authorization, basic, startProxy } from '../support/proxy.ts'
import { type Head, RawClient } from '../support/raw-client.ts'
import { openTunnel, request, tab } from './fixture.ts'

const CHALLENGE = 'Basic realm="tabport"'

const get = (authority: string, fields = '') => request(`GET http://${authority}/`, authority, fields)
const field = (credentials: string) => `Proxy-Authorization: ${credentials}\r\n`

function expectChallenge(head: Head, what?: string) {
  expect([head.status, head.all('Proxy-Authenticate')], what).toEqual([407, [CHALLENGE]])
}

test('row 2, per-WebContents Basic auth: no or wrong credentials are a 407 with a realm', async () => {
  const { origin, proxy, context, authority } = await tab(text('mine'))
  const other = proxy.createContext(2)
  const wrong = [
    '',
    field(basic({ ...context, password: other.password })),
    field(basic({ ...context, username: other.username })),
    field('Basic !'),
    field(`Bearer ${context.password}`),
  ]
  const client = await RawClient.connect(proxy.port())
  for (const fields of wrong) expectChallenge(await client.send(get(authority, fields)).response(), fields)
  expect(origin.connections).toBe(0)
  const right = [basic(context), basic(context).replace('Basic', 'basic'), basic(context).replace('Basic', 'BASIC')]
  for (const credentials of right) {
    const answer = await client.send(get(authority, field(credentials))).response()
    expect(answer, credentials).toMatchObject({ status: 200, body: 'mine' })
  }
})

test('row 12, auth bound to tunnel, not to header: inside it none is asked for, on a new socket it is', async () => {
  const to = await tab(text('mine'))
  const inside = await openTunnel(to)
  for (const path of ['/1', '/2']) {
    const answer = await inside.send(request(`GET ${path}`, to.authority)).response()
    expect(answer).toMatchObject({ status: 200, body: 'mine' })
  }
  const outside = await RawClient.connect(to.proxy.port())
  expectChallenge(await outside.send(request('GET /3', to.authority)).response())
  expectChallenge(await outside.send(get(to.authority)).response())
  expect(to.origin.seen.map(({ url }) => url)).toEqual(['/1', '/2'])
})

test('row 41, stale credentials -> 407 again: on the live connection, which then serves the new ones', async () => {
  const { origin, route, proxy, context, authority } = await tab(text('mine'))
  const client = await RawClient.connect(proxy.port())
  expect((await client.send(get(authority, authorization(context))).response()).status).toBe(200)
  proxy.releaseContext(context.id)
  for (let time = 0; time < 2; time += 1) {
    const refused = await client.send(get(authority, authorization(context))).response()
    expectChallenge(refused)
    expect(refused.all('Connection')).not.toContain('close')
  }
  expect(origin.seen).toHaveLength(1)
  const next = proxy.createContext(1, route)
  expect((await client.send(get(authority, authorization(next))).response()).status).toBe(200)
  expect(proxy.stats().total.connections).toBe(1)
})

test('row 42, one context per webContentsId, replace semantics: the second ends the first', async () => {
  const { route, proxy, context: first, authority } = await tab()
  const second = proxy.createContext(first.webContentsId, route)
  expect(proxy.stats().contexts).toBe(1)
  const client = await RawClient.connect(proxy.port())
  expectChallenge(await client.send(get(authority, authorization(first))).response())
  expect((await client.send(get(authority, authorization(second))).response()).status).toBe(200)
  const unknown = expect.objectContaining({ code: 'ERR_TABPORT_UNKNOWN_CONTEXT' })
  expect(() => proxy.releaseContext(first.id)).toThrow(unknown)
})

test('row 43, constant-time secret compare, CSPRNG: 128 bits, no two alike, every bit takes both values', async () => {
  const proxy = await startProxy()
  const passwords = Array.from({ length: 1_000 }, (_, id) => proxy.createContext(id).password)
  expect(new Set(passwords).size).toBe(passwords.length)
  const bits = passwords.map((password) => {
    expect(password).toMatch(/^[0-9a-f]{32}$/)
    return BigInt(`0x${password}`)
  })
  const all = 2n ** 128n - 1n
  expect(bits.reduce((seen, one) => seen | one)).toBe(all)
  expect(bits.reduce((seen, one) => seen | (one ^ all))).toBe(all)
})

test('row 43, constant-time secret compare, CSPRNG: the answer is one, wherever a password is wrong', async () => {
  const { proxy, context, authority } = await tab()
  const { password } = context
  const flipped = (at: number) => password.slice(0, at) + (password[at] === '0' ? '1' : '0') + password.slice(at + 1)
  const wrong = [...Array.from(password, (_, at) => flipped(at)), '', password.slice(0, -1), `${password}0`]
  const answers = new Set<string>()
  for (const guess of wrong) {
    const client = await RawClient.connect(proxy.port())
    const { fields, status, body } = await client
      .send(get(authority, field(basic({ ...context, password: guess }))))
      .response()
    answers.add(JSON.stringify([status, fields, body]))
    expect(body).not.toMatch(new RegExp(`${password}|${context.username}`))
  }
  expect([...answers]).toEqual([expect.stringMatching(/^\[407,/)])
})

test('row 52, h2 CONNECT: tunnels, and every stream needs its own credentials', async () => {
  const echo = await startRawOrigin((socket) => socket.pipe(socket))
  const proxy = await startProxy()
  const context = proxy.createContext(1)
  const session = http2Session(proxy)
  const connect = async (credentials: object) => {
    const pseudo = { ':method': 'CONNECT', ':authority': `127.0.0.1:${echo.port}` }
    const stream = session.request({ ...pseudo, ...credentials }, { endStream: false })
    const [head] = await within('the answer', once(stream, 'response'))
    return { stream, head }
  }
  const { stream, head } = await connect({ 'proxy-authorization': basic(context) })
  expect(head[':status']).toBe(200)
  const { head: refused } = await connect({})
  expect(refused).toMatchObject({ ':status': 407, 'proxy-authenticate': CHALLENGE })
  expect(echo.connections).toBe(1)
  stream.end('there and back')
  expect(Buffer.concat(await within('the echo', stream.toArray())).toString()).toBe('there and back')
  proxy.releaseContext(context.id)
  const { head: released } = await connect({ 'proxy-authorization': basic(context) })
  expect(released[':status']).toBe(407)
  await until('no tunnel is left', () => proxy.stats().tunnels === 0)
})
