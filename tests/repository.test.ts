// Promises the repository makes about itself.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8')
const output = (command: string, ...args: string[]) => execFileSync(command, args, { cwd: root, encoding: 'utf8' })

test('the engine depends on no host', () => {
  const tree = output(
    'cargo',
    'tree',
    '--locked',
    '--offline',
    '-p',
    'tabport-engine',
    '-e',
    'normal',
    '--prefix',
    'none',
  )
  const crates = new Set(tree.split('\n').map((line) => line.split(' ')[0]))
  expect(crates).toContain('hyper')
  for (const host of ['napi', 'napi-derive', 'clap', 'pyo3']) expect(crates).not.toContain(host)
})

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

const noMake = spawnSync('make', ['--version']).error !== undefined

test.skipIf(noMake).each([
  ['test-parity', 'native/headroom-parity'],
  ['bench', 'bench/'],
  ['build-proxy', 'native/headroom-proxy'],
  ['build-wheel', 'native/headroom-py'],
])('make %s says what does not exist yet, and fails (skipped without make)', (target, missing) => {
  const { status, stderr } = spawnSync('make', [target], { cwd: root, encoding: 'utf8' })
  expect(status).toBe(2)
  expect(stderr).toContain(`${missing}) does not exist yet`)
})
