// The example for Puppeteer, run as it stands.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { chromiumPath, LOOPBACK_ONLY } from '../support/requirements.ts'
import { startWorkspaces } from './workspace.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const executable = chromiumPath()

test.skipIf(!executable)(
  'two contexts of Puppeteer’s see two worlds at one URL (skipped without Chromium)',
  async () => {
    const { url, bait } = await startWorkspaces()
    const CHROMIUM_ARGS = [LOOPBACK_ONLY, '--no-sandbox', '--disable-gpu', '--disable-background-networking'].join('\n')
    const upstreams = ['http://127.18.0.1:{port}', 'http://127.18.0.2:{port}']
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['examples/puppeteer/two-worlds.mjs', url, ...upstreams],
      { cwd: root, env: { ...process.env, CHROMIUM: executable, CHROMIUM_ARGS }, timeout: 50_000 },
    )
    expect(stdout).toBe(`${url} is one v1, one: hello\n${url} is two v1, two: hello\n`)
    expect(bait.connections).toBe(0)
  },
)
