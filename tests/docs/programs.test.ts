// A program in a document is part of a file that a test runs or the compiler checks; nothing is shown that only looks
// right.
import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { temporaryFolder } from '../support/folder.ts'
import { blocks, read } from './documents.ts'

/** `text` is what a program prints, or a drawing; `sh` is for commands.test.ts. */
const NO_PROGRAMS = ['text', 'sh']
/** Whose files tests run: examples/ tests/packages and tests/browser, deploy/ tests/deploy. */
const CHECKED = /^(tests|examples|deploy|bench)\//

const programs = blocks.filter(({ language }) => !NO_PROGRAMS.includes(language))

test('there is something to check', () => {
  expect(programs.length).toBeGreaterThan(12)
})

test.each(programs)('the program at $at says which file it is from', ({ language, from }) => {
  expect(language).not.toBe('')
  expect(from).toMatch(CHECKED)
})

test.each(programs.filter(({ from }) => from))('the program at $at is in $from', ({ from, text }) => {
  expect(existsSync(inRoot(from!))).toBe(true)
  // A file may have more between what a document shows of it.
  for (const part of text.split(/\n\n(?=\S)/)) expect(read(from!)).toContain(part)
})

test('every program that is kept for the documents is in one of them', () => {
  const shown = new Set(programs.map(({ from }) => from))
  for (const file of kept) expect.soft(shown, file).toContain(`tests/docs/programs/${file}`)
})

const kept = readdirSync(inRoot('tests/docs/programs'))
const scripts = kept.filter((file) => /\.m?[jt]s$/.test(file))
/** tests/electron/recipes.test.ts runs these in an Electron. */
const needsElectron = (file: string): boolean =>
  /from '(electron|tabport\/electron)'/.test(read(`tests/docs/programs/${file}`))

test.each(scripts.filter((file) => !needsElectron(file)))('%s runs to its end', async (file) => {
  vi.spyOn(console, 'log').mockImplementation(() => {})
  inFolderOfItsOwn()
  await import(fileURLToPath(new URL(`programs/${file}`, import.meta.url)))
})

/** What a program writes, beside it or into the user's home, goes with the test. */
function inFolderOfItsOwn(): void {
  const [before, folder] = [process.cwd(), temporaryFolder()]
  process.chdir(folder)
  vi.stubEnv('HOME', folder).stubEnv('USERPROFILE', folder)
  expect(homedir()).toBe(folder)
  onTestFinished(() => {
    process.chdir(before)
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
  })
}
