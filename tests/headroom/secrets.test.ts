// No secret is in the log, at any level: everything that the official clients and a WebSocket do is done at the level
// that tells most, and the whole output is looked through.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import Client from 'ws'
import { echoed, serveWebSockets } from '../features/websockets.ts'
import { ca } from '../support/certificates.ts'
import { temporaryFolder } from '../support/folder.ts'
import { Headroom } from '../support/headroom.ts'
import { startOrigin, startTlsOrigin } from '../support/origin.ts'
import { KEY, startClients } from './clients.ts'
import { PIECES, startProvider, type Task } from './provider.ts'

const TASKS: Task[] = ['plain', 'tool', 'gzip', 'limited', 'refused', 'image']
const TRACE = '--log-level=trace'

/** What the clients send as key, in bodies and as answer. */
const SAID = [KEY, 'Grüße', 'hello', 'look_up', 'Zürich', 'too many', ...PIECES.map((piece) => piece.trim())]

/** Ends it, and fails if any of these is in what it has written. */
async function expectSilence(proxy: Headroom, secrets: string[]) {
  expect(await proxy.end()).toBe(0)
  expect(proxy.lines.some((line) => /"(TRACE|DEBUG)"/.test(line))).toBe(true)
  const written = [...proxy.lines, proxy.complaints]
  for (const secret of secrets) {
    const forms = [secret, JSON.stringify(secret).slice(1, -1), Buffer.from(secret).toString('base64')]
    expect(written.filter((line) => forms.some((form) => line.includes(form)))).toEqual([])
  }
}

test('row 43, of what the official clients say and hear', async () => {
  const clients = startClients()
  onTestFinished(async () => {
    for (const client of clients) await client.end()
  })
  for (const client of clients) {
    const provider = await startProvider(client.provider)
    const proxy = await Headroom.start(provider.url, [TRACE])
    for (const task of TASKS) await client.ask(proxy.url(), task)
    expect(await client.ask(proxy.url(), 'stream', () => provider.acknowledge())).toEqual({ text: PIECES.join('') })
    await client.giveUp(proxy.url())
    await provider.origin.close()
    await client.ask(proxy.url(), 'plain').catch(() => {})
    await expectSilence(proxy, SAID)
  }
})

test('row 43, of what a WebSocket says, and an upstream that is reached through another proxy', async () => {
  const origin = await startTlsOrigin()
  serveWebSockets(origin)
  const folder = temporaryFolder()
  writeFileSync(path.join(folder, 'ca.pem'), ca)
  const secure = [`--extra-ca=${path.join(folder, 'ca.pem')}`, TRACE]
  const proxy = await Headroom.start(`https://localhost:${origin.port}`, secure)
  const headers = { Authorization: 'Bearer key-of-socket', Cookie: 'session=key-of-cookie' }
  const socket = new Client(`${proxy.url('ws')}/live?key=key-of-query`, ['key-of-protocol', 'vite-hmr'], { headers })
  await once(socket, 'open')
  expect(await echoed(socket, 'key-of-message')).toBe('key-of-message')
  socket.close(4000, 'key-of-close')
  await once(socket, 'close')
  await expectSilence(
    proxy,
    ['socket', 'cookie', 'query', 'protocol', 'message', 'close'].map((name) => `key-of-${name}`),
  )

  const refusing = await startOrigin()
  refusing.server.on('connect', (_request, stream) => stream.end('HTTP/1.1 407 key-of-reason\r\n\r\nkey-of-body'))
  const way = `--upstream-proxy=http://key-of-user:key-of-password@127.0.0.1:${refusing.port}`
  const behind = await Headroom.start('https://api.preview.test', [way, TRACE])
  expect((await fetch(`${behind.url()}/x?key=key-of-query`)).status).toBe(502)
  expect(refusing.seen[0]?.headers['proxy-authorization']).toBeTruthy()
  const credentials = Buffer.from('key-of-user:key-of-password').toString('base64')
  await expectSilence(behind, ['key-of-user', 'key-of-password', 'key-of-query', 'key-of-body', credentials])
})
