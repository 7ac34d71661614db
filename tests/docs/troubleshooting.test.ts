// docs/troubleshooting.md has every code that there is, and none that there is not.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { gatewayProgram, headroomProgram, inRoot } from '../../scripts/lib/paths.mjs'
import { answers, endings, errorCodes, systemCodes, wiringMessages } from './codes.ts'

const page = readFileSync(fileURLToPath(new URL('../../docs/troubleshooting.md', import.meta.url)), 'utf8')
const parts = page.split(/^### /m).slice(1)
const sections = new Map(parts.map((part): [string, string] => [part.split('\n')[0] ?? '', part]))
const rows = (text: string) => [...text.matchAll(/^\| (.*) \|$/gm)].map(([, row = '']) => row.split(' | '))
const headings = (form: RegExp) => [...sections.keys()].filter((heading) => form.test(heading)).sort()

test('errors of calls', () => {
  expect(headings(/^ERR_/)).toEqual([...errorCodes()].sort())
})

test('what is said of a failed attach', () => {
  const [, ...shown] = rows(sections.get('ERR_TABPORT_WIRING') ?? '').map(([text = '']) => text.replaceAll('`', ''))
  expect(shown.sort()).toEqual(wiringMessages().sort())
})

test('errors of the system', () => {
  const codes = rows(sections.get('Errors of the system') ?? '').map(([code = '']) => code.replaceAll('`', ''))
  expect(codes.filter((code) => /^E[A-Z]+$/.test(code)).sort()).toEqual([...systemCodes()].sort())
})

test('answers of the proxy: tokens, statuses and texts', () => {
  const all = answers()
  expect(all.size).toBeGreaterThan(50)
  const shown = [...sections].flatMap(([token, text]) =>
    rows(text.split(/^## /m)[0] ?? '').flatMap(([status = '', said = '']) =>
      /^\d+$/.test(status) ? [`${token} ${status} ${said.replaceAll('`', '')}`] : [],
    ),
  )
  expect(shown.sort()).toEqual([...all].sort())
})

test('tokens have a heading each', () => {
  const tokens = [...answers()].map((answer) => answer.split(' ')[0])
  expect(headings(/^[a-z_]+$/)).toEqual([...new Set([...tokens, ...endings()])].sort())
})

test('errors of Chromium are those that a test has seen', () => {
  const [, section = ''] = page.split('## Errors of Chromium')
  const seen = ['closed', 'https', 'secure', 'trust', 'recipes', 'scope', 'verify']
    .map((name) => readFileSync(inRoot('tests', 'electron', `${name}.test.ts`), 'utf8'))
    .join()
  for (const [code] of section.matchAll(/ERR_[A-Z_]+/g)) expect.soft(seen.includes(code), code).toBe(true)
})

test.each<[string, string, string[], number]>([
  ['tabport', process.execPath, [inRoot('dist/cli/tabport.mjs'), '--version'], 0],
  ['tabport', process.execPath, [inRoot('dist/cli/tabport.mjs'), 'demo', '--in', 'nothing'], 2],
  ['tabport', process.execPath, [inRoot('dist/cli/tabport.mjs'), 'demo', '--in', 'electron'], 1],
  ['cmux-proxy', gatewayProgram, ['--version'], 0],
  ['cmux-proxy', gatewayProgram, ['--auth-token-file', '/nowhere'], 1],
  ['cmux-proxy', gatewayProgram, ['--nonsense'], 2],
  ['cmux-proxy run', gatewayProgram, ['run', '--workspace', 'a', '--', '/etc/passwd'], 126],
  ['cmux-proxy run', gatewayProgram, ['run', '--workspace', 'a', '--', 'no-such-command'], 127],
  ['headroom-proxy', headroomProgram, ['--version'], 0],
  [
    'headroom-proxy',
    headroomProgram,
    ['--upstream', 'http://127.0.0.1:1', '--listen', '127.0.0.1:0', '--extra-ca', '/nowhere'],
    1,
  ],
  ['headroom-proxy', headroomProgram, ['--nonsense'], 2],
])('%s %s %j ends with %d, which is on the page', (name, program, args, code) => {
  const env = { ...process.env, TABPORT_ELECTRON: '' }
  expect(spawnSync(program, args, { cwd: '/', env, timeout: 10_000 }).status).toBe(code)
  const [, section = ''] = page.split('## Exit codes')
  expect(rows(section).map(([program, code]) => `${program} ${code}`)).toContain(`\`${name}\` ${code}`)
})
