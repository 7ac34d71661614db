// The official clients of OpenAI and Anthropic learn through headroom-proxy what they learn without it, and the provider
// is asked in the same words.
import { afterAll, describe, expect, test } from 'vitest'
import { Headroom } from '../support/headroom.ts'
import { until } from '../support/poll.ts'
import { startBufferingProxy } from './buffering.ts'
import { type Client, KEY, startClients, type Told } from './clients.ts'
import { type Asked, PIECES, type Provider, REQUEST_ID, startProvider, type Task } from './provider.ts'
import { streamsAsItGoes } from './streaming.ts'

const id = REQUEST_ID
const tool = { name: 'look_up', arguments: { city: 'Zürich', days: 3 } }

/** What each task must come to, whichever way it goes. */
const EXPECTED: [task: Task, what: string, told: Told][] = [
  ['plain', 'an answer', { text: 'hello', id, encoding: null }],
  ['tool', 'a call of a tool', { tool, id, encoding: null }],
  ['gzip', 'an answer that is compressed', { text: 'pressed', id, encoding: 'gzip' }],
  [
    'limited',
    'a limit, and when to come back',
    { failure: { class: 'RateLimitError', status: 429, type: 'rate_limit_error', retryAfter: '7', id } },
  ],
  [
    'refused',
    'a key that is refused',
    { failure: { class: 'AuthenticationError', status: 401, type: 'authentication_error', retryAfter: null, id } },
  ],
]

/** What is of one hop alone, and what a proxy has to say to the upstream. */
const OWN = /^(host|connection|keep-alive|x-forwarded-(for|proto|host)|x-request-id)$/i

const less = ({ fields, ...asked }: Asked) => ({ ...asked, fields: fields.filter(([name]) => !OWN.test(name)) })

const clients = startClients()
afterAll(() => Promise.all(clients.map((client) => client.end())))

describe.each(clients.map((client) => [client.provider, client.language, client] as const))('%s in %s', (...which) => {
  const client: Client = which[2]

  async function start(): Promise<{ provider: Provider; proxy: Headroom }> {
    const provider = await startProvider(client.provider)
    return { provider, proxy: await Headroom.start(provider.url) }
  }

  test.each(EXPECTED)('%s: %s', async (task, _, told) => {
    const { provider, proxy } = await start()
    expect(await client.ask(provider.url, task)).toEqual(told)
    expect(await client.ask(proxy.url(), task)).toEqual(told)
    const [direct, through] = provider.asked.map(less)
    expect(through).toEqual(direct)
    expect(await proxy.ended(1)).toMatchObject([{ method: 'POST', outcome: 'complete' }])
    expect(proxy.lines.join()).not.toContain(KEY)
  })

  test('an image of five megabytes', async () => {
    const { provider, proxy } = await start()
    const direct = await client.ask(provider.url, 'image')
    expect(direct.text).toMatch(/^[0-9a-f]{64}$/)
    expect(await client.ask(proxy.url(), 'image')).toEqual(direct)
    const [one, other] = provider.asked.map(less)
    expect(other).toEqual(one)
    const length = one?.fields.find(([name]) => name.toLowerCase() === 'content-length')
    expect(Number(length?.[1])).toBeGreaterThan(5_000_000)
  })

  test('row 27, each event of a stream arrives before the next one is sent', async () => {
    const { provider, proxy } = await start()
    await streamsAsItGoes(client, proxy.url(), provider)
    expect(await proxy.ended(1)).toMatchObject([{ status: 200, outcome: 'complete' }])
  })

  test('row 27, which a proxy that buffers does not do', async () => {
    const provider = await startProvider(client.provider)
    const proxy = await startBufferingProxy(provider)
    expect(await client.ask(proxy.url, 'plain')).toEqual({ text: 'hello', id, encoding: null })
    const stream = streamsAsItGoes(client, proxy.url, provider)
    await expect(stream).rejects.toThrow(`the piece ${JSON.stringify(PIECES[0])} arrives`)
    await proxy.release()
  })

  test('row 28, a stream that is given up ends at the provider, too', async () => {
    const { provider, proxy } = await start()
    await client.giveUp(proxy.url())
    await until('the provider sees it', () => provider.abandoned === 1, 1_000)
    expect(await proxy.ended(1)).toMatchObject([{ status: 200, outcome: 'aborted' }])
  })
})
