// Who may use the proxy: one context, by its credentials, and nobody else.
import { describe, expect, test } from 'vitest'
import { connectTunnel } from './support/clients.ts'
import { startOrigin, text } from './support/origin.ts'
import { authorization, basic, startProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-client.ts'

const get = (port: number, fields = '') =>
  `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${fields}\r\n`
const field = (value: string) => `Proxy-Authorization: ${value}\r\n`
const encode = (value: string) => Buffer.from(value).toString('base64')

describe('credentials', () => {
  test('name the WebContents and are unlike any others', async () => {
    const proxy = await startProxy()
    const [first, second] = [proxy.createContext(7), proxy.createContext(8)]
    expect(first.webContentsId).toBe(7)
    expect(first.username).toMatch(/^wc-7-[0-9a-f]+$/)
    expect(first.password).toMatch(/^[0-9a-f]{32}$/)
    for (const member of ['id', 'username', 'password'] as const) {
      expect(first[member]).not.toBe(second[member])
    }
  })

  test('without them the answer is a 407 on a connection that stays usable', async () => {
    const { origin, proxy, context } = await fixture()
    const client = await RawClient.connect(proxy.port())
    const refused = await client.send(get(origin.port)).response()
    expect(refused.status).toBe(407)
    expect(refused.all('Proxy-Authenticate')).toEqual(['Basic realm="tabport"'])
    expect(refused.all('Content-Length')).toHaveLength(1)
    expect(refused.all('Connection')).not.toContain('close')
    expect(origin.connections).toBe(0)

    const accepted = await client.send(get(origin.port, authorization(context))).response()
    expect(accepted).toMatchObject({ status: 200, body: 'from the origin' })
  })

  test('the scheme may be spelled in any case (RFC 9110, section 11.1)', async () => {
    const { origin, proxy, context } = await fixture()
    const client = await RawClient.connect(proxy.port())
    const spelled = field(basic(context).replace('Basic', 'bAsIc'))
    expect((await client.send(get(origin.port, spelled)).response()).status).toBe(200)
  })

  test('they never reach the origin', async () => {
    const { origin, proxy, context } = await fixture()
    const client = await RawClient.connect(proxy.port())
    await client.send(get(origin.port, authorization(context))).response()
    expect(origin.seen).toHaveLength(1)
    expect(origin.seen[0]?.headers).not.toHaveProperty('proxy-authorization')
  })

  test('bad ones are refused before anything is dialled', async () => {
    const { origin, proxy, context, other } = await fixture()
    const { username, password } = context
    const bad: Record<string, string> = {
      'another password': field(`Basic ${encode(`${username}:${'0'.repeat(32)}`)}`),
      'another user': field(`Basic ${encode(`wc-9-00000000:${password}`)}`),
      'the password of another context': field(`Basic ${encode(`${username}:${other.password}`)}`),
      'the password in upper case': field(`Basic ${encode(`${username}:${password.toUpperCase()}`)}`),
      'the user in upper case': field(`Basic ${encode(`${username.toUpperCase()}:${password}`)}`),
      'a password cut short': field(`Basic ${encode(`${username}:${password.slice(0, -1)}`)}`),
      'a password with more behind it': field(`Basic ${encode(`${username}:${password}0`)}`),
      'no password': field(`Basic ${encode(`${username}:`)}`),
      'no colon': field(`Basic ${encode(username)}`),
      'no base64': field('Basic !!!!'),
      'nothing behind the scheme': field('Basic'),
      'an empty field': field(''),
      'another scheme': field(`Bearer ${password}`),
      'the scheme run into the value': field(`Basic${encode(`${username}:${password}`)}`),
      'a field for the origin': `Authorization: ${basic(context)}\r\n`,
      'two fields, one of them right': authorization(context) + field(`Basic ${encode('a:b')}`),
      'the right field twice': authorization(context) + authorization(context),
    }
    for (const [what, fields] of Object.entries(bad)) {
      const client = await RawClient.connect(proxy.port())
      const { status } = await client.send(get(origin.port, fields)).response()
      expect.soft(status, what).toBe(407)
    }
    expect(origin.connections).toBe(0)
  })

  test('a CONNECT without them dials nothing', async () => {
    const { origin, proxy } = await fixture()
    const { status, headers } = await connectTunnel(proxy, undefined, `127.0.0.1:${origin.port}`)
    expect(status).toBe(407)
    expect(headers['proxy-authenticate']).toBe('Basic realm="tabport"')
    expect(headers['content-length']).toBeDefined()
    expect(origin.connections).toBe(0)
  })

  test('they die with their context', async () => {
    const { origin, proxy, context } = await fixture()
    proxy.releaseContext(context.id)
    const client = await RawClient.connect(proxy.port())
    expect((await client.send(get(origin.port, authorization(context))).response()).status).toBe(407)
    expect(origin.connections).toBe(0)
  })

  test('a second context for one WebContents replaces the first', async () => {
    const { origin, proxy, context, other } = await fixture()
    const next = proxy.createContext(context.webContentsId)
    expect(next.id).not.toBe(context.id)
    expect(proxy.stats().contexts).toBe(2)
    const status = async (of: typeof context) => {
      const client = await RawClient.connect(proxy.port())
      return (await client.send(get(origin.port, authorization(of))).response()).status
    }
    expect(await status(context)).toBe(407)
    expect(await status(next)).toBe(200)
    expect(await status(other)).toBe(200)
    expect(() => proxy.releaseContext(context.id)).toThrow(
      expect.objectContaining({ code: 'ERR_TABPORT_UNKNOWN_CONTEXT' }),
    )
  })
})

describe('tabport.invalid', () => {
  const ask = (fields: string) => `GET http://tabport.invalid/ HTTP/1.1\r\nHost: tabport.invalid\r\n${fields}\r\n`

  test('tells a context who it is', async () => {
    const { proxy, context } = await fixture()
    const client = await RawClient.connect(proxy.port())
    const answer = await client.send(ask(authorization(context))).head()
    expect(answer.status).toBe(204)
    expect(answer.all('Tabport-Context')).toEqual([context.id])
  })

  test('tells nobody else anything', async () => {
    const { proxy } = await fixture()
    const client = await RawClient.connect(proxy.port())
    const answer = await client.send(ask('')).response()
    expect(answer.status).toBe(407)
    expect(answer.all('Tabport-Context')).toEqual([])
  })
})

async function fixture() {
  const origin = await startOrigin(text('from the origin'))
  const proxy = await startProxy()
  return { origin, proxy, context: proxy.createContext(1), other: proxy.createContext(2) }
}
