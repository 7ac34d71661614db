import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { cannotRun, root, runScript, title } from './harness/launch.ts'
import { until } from './harness/until.ts'

const PNG = Buffer.from('89504e470d0a1a0a', 'hex')

describe.skipIf(cannotRun)(title('the demo'), () => {
  const folder = mkdtempSync(join(tmpdir(), 'tabport-test-'))

  afterAll(() => rmSync(folder, { recursive: true }))

  const temporary = (): string[] => readdirSync(folder).filter((name) => name.startsWith('tabport-demo-'))

  /** As an editor would, in the first workspace's folder. */
  function leaveBackup(): boolean {
    const [demo] = temporary()
    if (!demo || !readdirSync(join(folder, demo)).includes('workspace-1')) return false
    writeFileSync(join(folder, demo, 'workspace-1', 'message.txt~'), 'as it was')
    return true
  }

  test('drives itself: two workspaces at one URL, live reload in each, and a picture of the window', async () => {
    const picture = join(folder, 'demo.png')
    const running = runScript(`${root}/dist/demo/main.cjs`, { TABPORT_DEMO_DRIVE: picture, TMPDIR: folder })
    await until('the workspaces', leaveBackup, 60_000)
    const { code, stdout, stderr } = await running

    expect(code, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/tab 1 +http:\/\/localhost:\d+ +workspace-1 .+, by its route\n/)
    expect(stdout).toMatch(
      /tab 2 +http:\/\/localhost:\d+ +workspace-2 .+, through cmux-proxy at http:\/\/127\.0\.0\.1:\d+\n/,
    )
    expect(stdout).toMatch(/gateway +cmux-proxy has led [1-9]\d* requests/)
    expect(stdout).toMatch(/workspace-1\S+ → tab 1 only, reload 1/)
    expect(stdout).toMatch(/workspace-2\S+ → tab 2 only, reload 1/)
    expect(temporary()).toEqual([])
    expect(readFileSync(picture).subarray(0, PNG.length)).toEqual(PNG)
  })
})
