// The command `tabport`, as a shell runs it.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { until } from './poll.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = `${root}dist/cli/tabport.mjs`

export interface Command {
  child: ChildProcess
  stdout: string
  stderr: string
  /** Its exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals | null>
}

interface Start {
  env?: Record<string, string>
  cwd?: string
}

/** Starts it; it ends with the test. */
export function startCommand(args: string[], { env = {}, cwd = root }: Start = {}): Command {
  const child = spawn(process.execPath, [program, ...args], { cwd, env: { ...process.env, ...env } })
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal))
  })
  const command = { child, stdout: '', stderr: '', ended }
  child.stdout.setEncoding('utf8').on('data', (text) => (command.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (command.stderr += text))
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await ended
  })
  return command
}

/** Runs it to its end. */
export async function runCommand(args: string[], start?: Start) {
  const command = startCommand(args, start)
  const code = await command.ended
  return { code, stdout: command.stdout, stderr: command.stderr }
}

/** What `tabport proxy --json` prints. */
export interface Printed {
  server: string
  secure: boolean
  authority: { path: string; fingerprint: string; spki: string }
  contexts: { route: string; username: string; password: string; proxy: string }[]
}

/** `tabport proxy` with these flags, once it has said how to use it. */
export async function startProxyCommand(args: string[], start?: Start) {
  const command = startCommand(['proxy', '--listen', '0', '--json', ...args], start)
  await until('the proxy is ready', () => command.stdout.endsWith('\n'))
  return { command, printed: JSON.parse(command.stdout) as Printed }
}
