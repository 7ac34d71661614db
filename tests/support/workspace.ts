// Programs in a workspace, and the gateway that leads there, as `cmux-proxy` starts them.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { until } from './poll.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = `${root}target/debug/cmux-proxy`

/** Builds the program, and the library that it preloads; to be awaited with time for it. */
export async function buildCmuxProxy(): Promise<void> {
  const packages = ['--package', 'cmux-proxy', '--package', 'tabport-workspace']
  await promisify(execFile)('cargo', ['build', '--locked', ...packages, '--target-dir', 'target'], { cwd: root })
}

/** Starts it, and gives its output so far; what it has started ends with the test. */
function start(flags: string[]): () => string {
  const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined }
  const child = spawn(program, flags, { stdio: ['pipe', 'pipe', 'pipe'], env })
  const closed = once(child, 'close')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await closed
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return () => {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${output}`)
    return output
  }
}

/** A gateway on a free port, which it gives. */
export async function startCmuxProxy(): Promise<number> {
  const output = start(['--listen', '127.0.0.1:0'])
  return Number(await until('a gateway that listens', () => /listening on \S+:(\d+)/.exec(output())?.[1]))
}

/** Starts a command in a workspace, and waits until it has printed something. */
export async function runIn(workspace: string, command: string[], printed: RegExp): Promise<void> {
  const output = start(['run', '--workspace', workspace, '--', ...command])
  await until(`${printed} from ${command[0]}`, () => printed.test(output()), 15_000)
}
