// The first steps of docs/gateway.md and docs/reverse-proxy.md, done as they stand but for the ports.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { gatewayProgram, headroomProgram } from '../../scripts/lib/paths.mjs'
import { curl } from '../support/clients.ts'
import { temporaryFolder } from '../support/https.ts'
import { until } from '../support/poll.ts'
import { words } from './commands.ts'
import { read } from './documents.ts'

const PROGRAMS: Record<string, string> = { 'cmux-proxy': gatewayProgram, 'headroom-proxy': headroomProgram }

/** The commands under a page's "Try it", with ports that are free. */
async function firstSteps(page: string): Promise<string[]> {
  const [, section = ''] = read(page).split('## Try it')
  const [text = ''] = section.split('\n## ')
  let lines = [...text.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) => block.trim().split('\n'))
  for (const port of ['39379', '39380', '3000', '8787', '8788']) {
    const free = await freePort()
    lines = lines.map((line) => line.replaceAll(new RegExp(`\\b${port}\\b`, 'g'), String(free)))
  }
  return lines
}

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/** Runs a command that goes on until the test has ended, in a folder whose index says which one it is. */
function start(line: string): void {
  const [program = '', ...args] = words(line)
  const cwd = temporaryFolder()
  writeFileSync(path.join(cwd, 'index.html'), line)
  const child = spawn(PROGRAMS[program] ?? program, args, { cwd, stdio: 'ignore' })
  const closed = new Promise((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await closed
  })
}

const ask = (line: string) => curl(...words(line).slice(1)).catch(() => '')

describe.skipIf(process.platform !== 'linux')('the first steps (skipped elsewhere than on Linux)', () => {
  test('with the gateway', async () => {
    const lines = await firstSteps('docs/gateway.md')
    const [gateway = '', first = '', second = '', byField = '', byName = '', health = ''] = lines
    for (const line of [gateway, first, second]) start(line)
    await until('the first workspace', async () => (await ask(byField)) === first)
    await until('the second workspace', async () => (await ask(byName)) === second)
    expect(await ask(health)).toContain('ok')
    expect(await ask(`curl http://localhost:${words(first).at(-1)}/`)).toBe('')
  })

  test('with the reverse proxy', async () => {
    const lines = await firstSteps('docs/reverse-proxy.md')
    const [server = '', proxy = '', page = '', health = '', upstreamHealth = ''] = lines
    for (const line of [server, proxy]) start(line)
    await until('the page', async () => (await ask(page)) === server)
    expect(JSON.parse(await ask(health))).toEqual({ ok: true, service: 'headroom-proxy' })
    expect(JSON.parse(await ask(upstreamHealth))).toEqual({ ok: false, upstream_status: 404 })
  })
})
