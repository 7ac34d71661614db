// `tabport demo` with a browser, and with none.
import { expect, test } from 'vitest'
import { runCommand, startCommand } from '../support/command.ts'
import { until } from '../support/poll.ts'
import { chromiumPath } from '../support/requirements.ts'

const executable = chromiumPath()

/** Both worlds at one URL, in their order or not. */
const shown = (who: string, text: string) =>
  [...text.matchAll(new RegExp(`^${who}.* shows (http://localhost:\\d+/) as (\\w+)$`, 'gm'))].map(([, url, title]) => ({
    url,
    title,
  }))

function expectTwoWorlds(worlds: ReturnType<typeof shown>): void {
  expect(worlds.map(({ title }) => title).sort()).toEqual(['Harbour', 'Orchard'])
  expect(new Set(worlds.map(({ url }) => url)).size).toBe(1)
}

test('without a browser it prints what two clients see at one URL', async () => {
  const { code, stdout, stderr } = await runCommand(['demo', '--in', 'node'])
  expect([code, stderr]).toEqual([0, ''])
  expectTwoWorlds(shown('', stdout))
})

test.skipIf(!executable)('a Chromium shows both, and ends with it (skipped without Chromium)', async () => {
  const env = { TABPORT_CHROMIUM: `${executable}`, DISPLAY: '', WAYLAND_DISPLAY: '' }
  const command = startCommand(['demo', '--in', 'chromium'], { env })
  await until('both windows', () => shown('Chromium', command.stdout).length === 2, 40_000)
  expectTwoWorlds(shown('Chromium', command.stdout))
  command.child.kill('SIGINT')
  expect(await command.ended).toBe(0)
})

test('a Chromium that does not start is an error', async () => {
  const { code, stderr } = await runCommand(['demo', '--in', 'chromium'], { env: { TABPORT_CHROMIUM: '/bin/false' } })
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^tabport: .*the browser has ended\n$/)])
})
