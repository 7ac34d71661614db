/** Starts the real Electron under a virtual display and talks to it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { LOOPBACK_ONLY } from '../../support/requirements.ts'

export const root = process.env.TABPORT_ROOT ?? fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

/** Why these tests cannot run here, or undefined. A missing Electron is an error in CI, never a silent pass. */
export const cannotRun = whyNot()

function whyNot(): string | undefined {
  if (existsSync(process.env.TABPORT_ELECTRON ?? '')) return undefined
  const reason = 'Electron is missing: run `npm run setup`, or name one in TABPORT_ELECTRON'
  if (process.env.CI === 'true') throw new Error(reason)
  return reason
}

/** The text of `describe`: names the reason when the tests are skipped. */
export const title = (name: string): string => (cannotRun ? `${name} (skipped: ${cannotRun})` : name)

/**
 * Spawns an app script, or, without one, an app that has an Electron of its own. It gets the repository's root in its
 * environment, and a display unless there is one.
 */
export function spawnElectron(
  script: string | undefined,
  env: Record<string, string> = {},
  electron = process.env.TABPORT_ELECTRON!,
): ChildProcess {
  const flags = ['--no-sandbox', '--disable-gpu', LOOPBACK_ONLY, ...(script ? [script] : [])]
  const headless = process.platform === 'linux'
  const [command, args] = headless ? ['xvfb-run', ['-a', electron, ...flags]] : [electron, flags]
  return spawn(command, args, {
    env: { ...process.env, TABPORT_ROOT: root, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

const appPath = (name: string): string => fileURLToPath(new URL(`../apps/${name}`, import.meta.url))

/** How an app ended and what it printed. */
export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a script to its end. */
export async function runScript(script: string, env?: Record<string, string>): Promise<Ended> {
  const child = spawnElectron(script, env)
  const output = collect(child)
  const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? -1)))
  return { code, ...output }
}

/** Runs an app of these tests to its end. Each line it prints that is JSON is one report. */
export async function runApp(name: string, env?: Record<string, string>): Promise<Ended & { reports: object[] }> {
  const ended = await runScript(appPath(name), env)
  const lines = ended.stdout.split('\n').filter((line) => line.startsWith('{'))
  return { ...ended, reports: lines.map((line) => JSON.parse(line)) }
}

/** What a function that runs inside Electron finds in its first argument. It must not use anything from around it. */
// biome-ignore lint/suspicious/noExplicitAny: the other side is untyped, and any of its values may come back
export type Tools = any

/** A running Electron, driven from here. */
export interface RemoteElectron {
  evaluate<Argument, Result>(
    run: (tools: Tools, argument: Argument) => Result | Promise<Result>,
    argument?: Argument,
  ): Promise<Result>
  close(): Promise<void>
}

interface Reply {
  id: number
  value?: unknown
  error?: { name: string; message: string; code?: string; stack: string }
}

export async function launchElectron(): Promise<RemoteElectron> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const child = spawnElectron(appPath('remote.cjs'), { TABPORT_CONTROL_PORT: String(port) })
  const control = await connected(server, child)
  return new Remote(control, child, () => server.close())
}

class Remote implements RemoteElectron {
  private readonly waiting = new Map<number, (reply: Reply) => void>()
  private lastId = 0

  constructor(
    private readonly control: Socket,
    private readonly child: ChildProcess,
    private readonly cleanUp: () => void,
  ) {
    createInterface({ input: control }).on('line', (line) => {
      const reply = JSON.parse(line) as Reply
      this.waiting.get(reply.id)?.(reply)
      this.waiting.delete(reply.id)
    })
    control.on('error', () => {})
    control.on('close', () => {
      const error = { name: 'Error', message: 'Electron went away', stack: '' }
      for (const [id, settle] of this.waiting) settle({ id, error })
    })
  }

  async evaluate<Argument, Result>(
    run: (tools: Tools, argument: Argument) => Result | Promise<Result>,
    argument?: Argument,
  ): Promise<Result> {
    const id = ++this.lastId
    const reply = await new Promise<Reply>((resolve) => {
      this.waiting.set(id, resolve)
      this.control.write(`${JSON.stringify({ id, source: run.toString(), argument })}\n`)
    })
    if (reply.error) throw Object.assign(new Error(reply.error.message), reply.error)
    return reply.value as Result
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.child.on('close', resolve))
    this.control.end()
    await closed
    this.cleanUp()
  }
}

function connected(server: ReturnType<typeof createServer>, child: ChildProcess): Promise<Socket> {
  const output = collect(child)
  return new Promise((resolve, reject) => {
    server.once('connection', resolve)
    child.once('error', reject)
    child.once('close', (code) => {
      server.close()
      reject(new Error(`Electron ended before it was ready (exit ${code}):\n${output.stdout}${output.stderr}`))
    })
  })
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' }
  child.stdout?.on('data', (data) => (output.stdout += data))
  child.stderr?.on('data', (data) => (output.stderr += data))
  return output
}
