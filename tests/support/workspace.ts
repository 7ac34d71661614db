// Programs in a workspace, as `cmux-proxy run` starts them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { gatewayProgram } from '../../scripts/lib/paths.mjs'
import { until } from './poll.ts'

/** Starts it, and gives its output so far; what it has started ends with the test. */
function start(flags: string[]): () => string {
  const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined }
  const child = spawn(gatewayProgram, flags, { stdio: ['pipe', 'pipe', 'pipe'], env })
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

/** Starts a command in a workspace, and waits until it has printed something. */
export async function runIn(workspace: string, command: string[], printed: RegExp): Promise<void> {
  const output = start(['run', '--workspace', workspace, '--', ...command])
  await until(`${printed} from ${command[0]}`, () => printed.test(output()), 15_000)
}
