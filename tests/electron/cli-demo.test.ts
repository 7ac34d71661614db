// `tabport demo` with an Electron: the app that the package ships for it, on a display that nobody sees.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { cannotRun, root, title } from './harness/launch.ts'

describe.skipIf(cannotRun)(title('tabport demo'), () => {
  test('shows two worlds at one URL in two windows', async () => {
    const command = [process.execPath, `${root}/dist/cli/tabport.mjs`, 'demo', '--in', 'electron', '--once'] as const
    const [program, ...args] = process.platform === 'linux' ? (['xvfb-run', '-a', ...command] as const) : command
    const { stdout } = await promisify(execFile)(program, args, { timeout: 80_000 })
    expect(stdout).toMatch(/^Electron shows (http:\/\/localhost:\d+\/) as Orchard\nElectron shows \1 as Harbour\n$/m)
  })
})
