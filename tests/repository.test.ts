// Promises the repository makes about itself.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8')

test('the lock file names no registry', () => {
  const lock = read('package-lock.json')
  expect(lock).toContain('"integrity"')
  expect(lock).not.toContain('"resolved"')
})

test('what the package exports is what it ships', () => {
  const { exports, files } = JSON.parse(read('package.json'))
  const paths = JSON.stringify(exports).match(/\.\/[\w./-]+\.\w+/g) ?? []
  expect(paths).toContain('./index.js')
  for (const path of new Set(paths)) {
    expect.soft(existsSync(`${root}${path}`), path).toBe(true)
    const shipped = path === './package.json' || files.some((file: string) => path.startsWith(`./${file}`))
    expect.soft(shipped, path).toBe(true)
  }
})

test('the set-up says all that is missing at once, before it installs anything', () => {
  const withoutPrograms = { cwd: root, encoding: 'utf8', env: { PATH: `${root}tests` } } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/setup.mjs'], withoutPrograms)
  expect(status).toBe(1)
  expect(stderr.match(/^ {2}- (npm|Rust|A C compiler)\b/gm)).toHaveLength(process.platform === 'win32' ? 2 : 3)
  expect(stdout).not.toContain('npm packages')
})

const noMake = spawnSync('make', ['--version']).error !== undefined

test.skipIf(noMake).each([
  ['test-parity', 'native/headroom-parity'],
  ['build-wheel', 'native/headroom-py'],
])('make %s says what does not exist yet, and fails (skipped without make)', (target, missing) => {
  const { status, stderr } = spawnSync('make', [target], { cwd: root, encoding: 'utf8' })
  expect(status).toBe(2)
  expect(stderr).toContain(`${missing}) does not exist yet`)
})
