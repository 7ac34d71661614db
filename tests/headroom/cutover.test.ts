// The operator's runbook, deploy/headroom-proxy/cutover.sh: a scripted proxy that knows nothing of it serves on the public
// port, headroom-proxy takes its place, and gives it back, while clients go on asking.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import http, { type IncomingMessage } from 'node:http'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { headroomProgram, inRoot } from '../../scripts/lib/paths.mjs'
import { temporaryFolder } from '../support/folder.ts'
import { ownAddress } from '../support/loopback.ts'
import { echo, startOrigin } from '../support/origin.ts'
import { until, within } from '../support/poll.ts'

const SCRIPT = inRoot('deploy', 'headroom-proxy', 'cutover.sh')
const SCRIPTED = fileURLToPath(new URL('./programs/scripted.py', import.meta.url))
const EVENTS = Array.from({ length: 40 }, (_, number) => `data: ${number}\n\n`).join('')

/** Whether one process may take a socket of another here: root may, and others where the system lets them. */
function mayTake(): boolean {
  if (process.platform !== 'linux') return false
  const scope = '/proc/sys/kernel/yama/ptrace_scope'
  const isRestricted = existsSync(scope) && readFileSync(scope, 'utf8').trim() !== '0'
  if (!isRestricted || process.getuid?.() === 0) return true
  if (process.env.CI === 'true') throw new Error('run this as root, or after `sysctl kernel.yama.ptrace_scope=0`')
  return false
}

/** Asks as fast as it is answered, and records who has answered and what went wrong. */
class Asker {
  readonly failures: string[] = []
  readonly answered = new Map<string, number>()
  private readonly done: Promise<void>
  private stopped = false
  private last = 'nobody'

  constructor(
    private readonly url: string,
    private readonly agent: http.Agent,
  ) {
    this.done = this.loop()
  }

  /** Waits until it has been answered some more, by whom this says. */
  async goesOn(by: string): Promise<void> {
    const enough = (this.answered.get(by) ?? 0) + 20
    await until(`answers by ${by}: ${this.failures}`, () => (this.answered.get(by) ?? 0) >= enough)
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.done
    this.agent.destroy()
  }

  private async loop() {
    while (!this.stopped) {
      const who = await this.ask().catch((error: Error) => {
        this.failures.push(`${error.message}, after an answer by ${this.last}`)
        return 'nobody'
      })
      this.last = who
      this.answered.set(who, (this.answered.get(who) ?? 0) + 1)
    }
  }

  /** What a connection that was open is closed with, without a byte of an answer, is asked again (RFC 9112, 9.3.1). */
  private async ask(): Promise<string> {
    const request = http.get(`${this.url}/v1/models`, { agent: this.agent })
    try {
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      const { process, client } = JSON.parse(await text(response))
      return client ? 'headroom-proxy' : `process ${process}`
    } catch (error) {
      const isClosed = (error as NodeJS.ErrnoException).code === 'ECONNRESET'
      if (!request.reusedSocket || !isClosed) throw error
      return this.ask()
    }
  }
}

const askers = (url: string) =>
  [false, true].map((keepAlive) => {
    const asker = new Asker(url, new http.Agent({ keepAlive, maxSockets: 1 }))
    onTestFinished(() => asker.stop())
    return asker
  })

/** An event stream, to its end. */
async function stream(url: string): Promise<{ began: Promise<unknown>; whole: Promise<string> }> {
  const request = http.get(`${url}/v1/stream`, { agent: false })
  const began = once(request, 'response')
  return { began, whole: began.then(([response]) => text(response)) }
}

/** A scripted proxy on a public port, and the script that an operator runs beside it. */
async function startOperation() {
  const host = ownAddress()
  const state = temporaryFolder()
  const env = {
    PATH: process.env.PATH,
    HEADROOM_PUBLIC: `${host}:8787`,
    HEADROOM_PRIVATE: `${host}:8788`,
    HEADROOM_SCRIPTED: SCRIPTED,
    HEADROOM_PROXY: headroomProgram,
    HEADROOM_STATE: state,
  }
  onTestFinished(() => {
    for (const name of ['scripted', 'private', 'proxy']) endNamed(path.join(state, `${name}.pid`))
  })
  const first = spawn('python3', [SCRIPTED], { env: { ...env, HEADROOM_BIND: env.HEADROOM_PUBLIC } })
  onTestFinished(() => ended(first))
  const run = (...args: string[]) => promisify(execFile)(SCRIPT, args, { env })
  const numberOf = (name: string) => readFileSync(path.join(state, `${name}.pid`), 'utf8').trim()
  return { url: `http://${env.HEADROOM_PUBLIC}`, first, run, numberOf }
}

function endNamed(file: string) {
  if (!existsSync(file)) return
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL')
  } catch {}
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

test.skipIf(!mayTake())(
  'row 44, over, confirmed and back, and nobody is refused (skipped where no process may take a socket)',
  async () => {
    const { url, first, run, numberOf } = await startOperation()
    await until('the scripted proxy listens', () => fetch(url).catch(() => undefined))
    const clients = askers(url)
    const allGoOn = (by: string) => Promise.all(clients.map((client) => client.goesOn(by)))
    await allGoOn(`process ${first.pid}`)

    let last = first.pid
    for (const round of ['one', 'two']) {
      const before = await stream(url)
      await before.began
      const over = await run('over', ...(round === 'one' ? [String(last)] : []))
      expect(over.stdout).toContain('/v1/models is 200, as without it')
      expect(await within('the stream', before.whole)).toBe(EVENTS)
      await allGoOn('headroom-proxy')
      expect((await run('confirm')).stdout).toContain('headroom-proxy is at')

      const meanwhile = await stream(url)
      await meanwhile.began
      await run('back')
      expect(await within('the stream', meanwhile.whole)).toBe(EVENTS)
      last = Number(numberOf('scripted'))
      await allGoOn(`process ${last}`)
      await expect(run('confirm')).rejects.toMatchObject({ code: 1 })
    }
    for (const client of clients) {
      await client.stop()
      expect(client.failures).toEqual([])
    }
  },
)

test.skipIf(!mayTake())(
  'what fails on the way over changes nothing (skipped where no process may take a socket)',
  async () => {
    const { url, first, run } = await startOperation()
    await until('the scripted proxy listens', () => fetch(url).catch(() => undefined))
    const clients = askers(url)
    await expect(run('over', String(first.pid), '--upstream-timeout=never')).rejects.toMatchObject({ code: 1 })
    await expect(run('over', String(process.pid))).rejects.toMatchObject({ code: 1 })
    const stranger = await startOrigin(echo, { host: new URL(url).hostname, port: 8788 })
    const refused = { code: 1, stderr: expect.stringContaining('already') }
    await expect(run('over', String(first.pid))).rejects.toMatchObject(refused)
    await stranger.close()
    await Promise.all(clients.map((client) => client.goesOn(`process ${first.pid}`)))
    await expect(run('back')).rejects.toMatchObject({ code: 1 })
    for (const client of clients) {
      await client.stop()
      expect([...client.answered.keys()]).toEqual([`process ${first.pid}`])
    }
  },
)
