import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { cannotRun, root, runScript, title } from './harness/launch.ts'

const PNG = Buffer.from('89504e470d0a1a0a', 'hex')

describe.skipIf(cannotRun)(title('the demo'), () => {
  const folder = mkdtempSync(join(tmpdir(), 'tabport-test-'))

  afterAll(() => rmSync(folder, { recursive: true }))

  test('drives itself: two workspaces at one URL, live reload in each, and a picture of the window', async () => {
    const picture = join(folder, 'demo.png')
    const { code, stdout, stderr } = await runScript(`${root}/dist/demo/main.cjs`, { TABPORT_DEMO_DRIVE: picture })

    expect(code, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/tab 1 +http:\/\/localhost:\d+ +workspace-1 /)
    expect(stdout).toMatch(/tab 2 +http:\/\/localhost:\d+ +workspace-2 /)
    expect(stdout).toMatch(/workspace-1\S+ → tab 1 only, reload 1/)
    expect(stdout).toMatch(/workspace-2\S+ → tab 2 only, reload 1/)
    expect(readFileSync(picture).subarray(0, PNG.length)).toEqual(PNG)
  })
})
