// A command in a document works: those of `tabport` are run as they stand; of the others, every script, target, flag, unit
// and file that they name exists.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { gatewayProgram, headroomProgram, inRoot } from '../../scripts/lib/paths.mjs'
import { runCommand, startCommand } from '../support/command.ts'
import { until } from '../support/poll.ts'
import { CHECKS, commandsOf, words } from './commands.ts'
import { blocks, read } from './documents.ts'

const shown = blocks.filter(({ language }) => language === 'sh').flatMap(commandsOf)
const ours = shown.filter(({ line }) => line.startsWith('npx tabport '))
const others = shown.filter((command) => !ours.includes(command))

test('there is something to check', () => {
  expect(ours.length).toBeGreaterThan(9)
  expect(others.length).toBeGreaterThan(20)
})

test.each(ours)('$line ($at)', async ({ line }) => {
  const home = mkdtempSync(path.join(tmpdir(), 'tabport-home-'))
  onTestFinished(() => rmSync(home, { recursive: true }))
  const env = { DISPLAY: '', WAYLAND_DISPLAY: '', TABPORT_ELECTRON: '' }
  const args = words(line.replace('~', home)).slice(2)
  if (args[0] !== 'proxy') return expect((await runCommand(args, { env })).code).toBe(0)
  const command = startCommand(args, { env })
  await until('it is ready', () => /Ctrl-C|^\{.*\}\n$/.test(command.stdout))
  command.child.kill('SIGTERM')
  expect(await command.ended).toBe(0)
})

test.each(others)('$line ($at)', ({ line }) => {
  const [program = '', ...args] = words(line)
  const check = CHECKS[path.basename(program)]
  expect(check, `nothing checks ${program}`).toBeDefined()
  check?.(args, program)
})

test.each<[string, string, string[]]>([
  ['docs/CMUX-PROXY.md', gatewayProgram, []],
  ['docs/CMUX-PROXY.md', gatewayProgram, ['run']],
  ['docs/CMUX-PROXY.md', gatewayProgram, ['health']],
  ['docs/HEADROOM-PROXY.md', headroomProgram, []],
  ['docs/HEADROOM-PROXY.md', headroomProgram, ['health']],
  ...['proxy', 'doctor', 'demo'].map((name): [string, string, string[]] => [
    'docs/CLI.md',
    process.execPath,
    [inRoot('dist/cli/tabport.mjs'), name],
  ]),
])('%s has every flag of %s %j', (page, program, command) => {
  const { stdout } = spawnSync(program, [...command, '--help'], { encoding: 'utf8' })
  const flags = [...stdout.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag)
  expect(flags).not.toEqual([])
  const missing = flags.filter((flag) => !['--help', '--version'].includes(flag) && !read(page).includes(flag))
  expect(missing).toEqual([])
})

test.each([
  'npm run nonsense',
  'make nonsense',
  'cmux-proxy --nonsense',
  'docker build --file nowhere --tag cmux-proxy .',
  'systemctl enable --now nonsense',
])('%s would be found', (line) => {
  const [program = '', ...args] = words(line)
  expect(() => CHECKS[program]?.(args, program)).toThrow()
})
