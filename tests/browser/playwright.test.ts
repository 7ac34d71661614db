// `tabport/playwright` as its users run it: `playwright test` on a project, and the report that it writes.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startTlsOrigin } from '../support/origin.ts'
import { chromiumPath, LOOPBACK_ONLY } from '../support/requirements.ts'
import { startWorkspaces } from './workspace.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const executable = chromiumPath()

interface Suite {
  title: string
  suites?: Suite[]
  specs: { title: string; tests: { results: { status: string; errors: { message: string }[] }[] }[] }[]
}

interface Outcome {
  title: string
  status: string | undefined
  message: string
}

describe.skipIf(!executable)('tabport/playwright (skipped without Chromium)', () => {
  test('the example passes: two contexts at one URL see two worlds, over http and https', async () => {
    const { bait, outcomes } = await play('examples/playwright')
    expect(outcomes.map(({ title, status, message }) => [title, status, message])).toEqual([
      ['the page is the first workspace’s', 'passed', ''],
      ['two contexts see two worlds at one http URL', 'passed', ''],
      ['two contexts see two worlds at one https URL', 'passed', ''],
    ])
    expect(bait.connections).toBe(0)
  })

  test('what must fail fails, and says why', async () => {
    const { outcomes } = await play('tests/browser/playwright')
    expect(outcomes.length).toBeGreaterThan(5)
    for (const { title, status, message } of outcomes) {
      expect.soft(status, `${title}\n${message}`).toBe(title.startsWith('passes: ') ? 'passed' : 'failed')
    }
    const why = (title: string) => outcomes.find((outcome) => outcome.title === `fails: ${title}`)?.message
    expect(why('it is not the second')).toContain('Received: "one v1"')
    expect(why('a context has one proxy')).toContain('`localhost` and `proxy` are both set')
    expect(why('the route is refused')).toContain('upstream')
  })
})

/** Runs a project against two workspaces on one port. */
async function play(folder: string) {
  const { url, bait } = await startWorkspaces()
  const foreign = await startTlsOrigin()
  const output = mkdtempSync(path.join(tmpdir(), 'tabport-playwright-'))
  onTestFinished(() => rmSync(output, { recursive: true, force: true }))
  const env = {
    ...process.env,
    FOREIGN_PORT: `${foreign.port}`,
    BASE_URL: new URL(url).origin,
    // Otherwise Playwright, in this version, would do a second time what the fixtures must do.
    PLAYWRIGHT_DISABLE_FORCED_CHROMIUM_PROXIED_LOOPBACK: '1',
    CHROMIUM: executable,
    CHROMIUM_ARGS: [LOOPBACK_ONLY, '--no-sandbox', '--disable-gpu', '--disable-background-networking'].join('\n'),
  }
  const report = await new Promise<string>((resolve) => {
    const project = ['--config', folder, '--tsconfig', 'examples/playwright/tsconfig.json', '--output', output]
    const args = ['node_modules/@playwright/test/cli.js', 'test', ...project, '--reporter=json', '--workers=1']
    execFile(process.execPath, args, { cwd: root, env, timeout: 50_000 }, (_, stdout) => resolve(stdout))
  })
  return { bait, outcomes: outcomesOf(JSON.parse(report)) }
}

function outcomesOf(suite: Partial<Suite>): Outcome[] {
  const own = (suite.specs ?? []).map(({ title, tests }) => {
    const result = tests[0]?.results[0]
    const message = (result?.errors ?? []).map((error) => error.message).join('\n')
    return { title, status: result?.status, message: stripVTControlCharacters(message) }
  })
  return [...own, ...(suite.suites ?? []).flatMap(outcomesOf)]
}
