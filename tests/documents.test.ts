// What README.md, docs/CLI.md and docs/TESTING.md tell readers to type works: programs are parts of files that other
// tests run, and commands of `tabport` are run here as they stand.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { runCommand, startCommand } from './support/command.ts'
import { until } from './support/poll.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string) => readFileSync(`${root}${file}`, 'utf8')

const DOCUMENTS = ['README.md', 'docs/CLI.md', 'docs/TESTING.md']

interface Block {
  document: string
  language: string
  /** The file that it says it is from. */
  from: string | undefined
  text: string
}

const blocks = DOCUMENTS.flatMap((document): Block[] =>
  [...read(document).matchAll(/(?:<!-- from (\S+) -->\n)?```(\w*)\n([^`]*(?:`[^`]+)*?)\n```/g)].map(
    ([, from, language = '', text = '']) => ({ document, language, from, text }),
  ),
)

const programs = blocks.filter(({ from }) => from !== undefined)
const commands = blocks.flatMap(({ text }) => text.split('\n').filter((line) => line.startsWith('npx tabport ')))

test('there is something to check', () => {
  expect(programs.length).toBeGreaterThan(4)
  expect(commands.length).toBeGreaterThan(9)
})

test.each(programs)('a program in $document is from $from', ({ from, text }) => {
  // A file may have more between what a document shows of it.
  for (const part of text.split(/\n\n(?=\S)/)) expect(read(from as string)).toContain(part)
})

test('all programs in docs/CLI.md and docs/TESTING.md say where they are from', () => {
  const others = blocks.filter(({ document, language, from }) => document !== 'README.md' && language !== 'sh' && !from)
  expect(others).toEqual([])
})

test.each(commands)('%s', async (line) => {
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

/** As a shell would split it: quotes, and a comment at the end. */
function words(line: string): string[] {
  const found = line.replace(/ +# .*$/, '').match(/'[^']*'|[^\s']+/g) ?? []
  return found.map((word) => word.replaceAll("'", ''))
}
