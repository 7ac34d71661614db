// docs/security.md names the tests that show its promises: they exist, in the files that it names.
import path from 'node:path'
import { expect, test } from 'vitest'
import { read } from './documents.ts'

const NAMED = /((?:`[^`]+`,?\s+)+)in\s+\[[^\]]+\]\(([^)]+)\)/g

const named = Array.from(read('docs/security.md').matchAll(NAMED)).flatMap(([, names = '', link = '']) => {
  const file = path.posix.join('docs', link)
  return Array.from(names.matchAll(/`([^`]+)`/g), ([, name = '']) => ({ name, file }))
})

/** Whether a file has a test of this name. */
function has(file: string, name: string): boolean {
  const text = read(file)
  return file.endsWith('.rs') ? text.includes(`fn ${name}()`) : text.includes(`test('${name}'`)
}

test('there is something to check', () => {
  expect(named.length).toBeGreaterThan(45)
  expect(has('tests/secrets.test.ts', 'nothing')).toBe(false)
})

test.each(named)('$name is in $file', ({ name, file }) => {
  expect(has(file, name)).toBe(true)
})

test('every promise has a test that shows it', () => {
  const [promised = ''] = read('docs/security.md').split('## What is not promised')
  const [, ...attackers] = promised.split('## A page in a tab')
  const promises = attackers
    .join()
    .split(/\n(?=\*\*)/)
    .slice(1)
  expect(promises.length).toBeGreaterThan(15)
  for (const promise of promises) expect.soft(Array.from(promise.matchAll(NAMED)).length, promise).toBeGreaterThan(0)
})

test('every link to a test belongs to a name', () => {
  const links = read('docs/security.md').match(/\]\(\.\.\/[^)]+\)/g) ?? []
  expect(new Set(named.map(({ file }) => file)).size).toBe(new Set(links).size)
})
