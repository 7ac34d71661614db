// What a TypeScript project sees of the packages, by each way in which a compiler finds them, and what linters of packages say.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { tarballName } from '../../scripts/packages/pack.mjs'
import { platforms } from '../../scripts/packages/targets.mjs'
import { type Consumer, newConsumer } from './consumer.ts'
import { type Registry, startRegistry } from './registry.ts'

let registry: Registry
let consumer: Consumer

beforeAll(async () => {
  registry = await startRegistry(inject('tarballs'))
  consumer = newConsumer(registry.url)
  await consumer.manager('npm', 'install', 'tabport')
  for (const name of ['electron', '@types', 'undici-types']) {
    symlinkSync(inRoot('node_modules', name), path.join(consumer.folder, 'node_modules', name), 'junction')
  }
})

afterAll(async () => {
  consumer?.remove()
  await registry?.close()
})

const STRICT = { strict: true, noEmit: true, exactOptionalPropertyTypes: true, target: 'ES2022', types: ['node'] }
const NODE_16 = { module: 'Node16', moduleResolution: 'Node16', lib: ['ES2022', 'DOM'] }
const NODE_10 =
  "import { createTabport } from 'tabport/electron'\nexport const start: () => Promise<object> = createTabport\n"
const ALL = "export * from 'tabport'\nexport * from 'tabport/electron'\n"

/** By Node itself: on Windows the command of a package is a script, which no program can be started from. */
const runTool = (program: string, ...args: string[]) =>
  spawnSync(process.execPath, [inRoot('node_modules', program), ...args], { encoding: 'utf8' })

/** What the compiler says about files that are written, or copied from tests/types, into a folder of the project. */
function compile(name: string, options: object, files: Record<string, string>): string[] {
  const folder = path.join(consumer.folder, name)
  mkdirSync(folder)
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(folder, file), text)
  const compilerOptions = { ...STRICT, ignoreDeprecations: '5.0', ...options }
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: Object.keys(files) }))
  const { status, stdout, stderr } = runTool('typescript/bin/tsc', '-p', folder)
  if (status !== 0 && stdout === '') throw new Error(`The compiler did not run: ${stderr}`)
  return stdout.split('\n').filter(Boolean)
}

const esm = readFileSync(inRoot('tests', 'types', 'esm.mts'), 'utf8')
const commonJs = readFileSync(inRoot('tests', 'types', 'commonjs.cts'), 'utf8')

test.each([
  ['modules of both kinds by Node', NODE_16, { 'esm.mts': esm, 'commonjs.cts': commonJs }],
  ['a bundler', { module: 'ESNext', moduleResolution: 'Bundler', lib: ['ES2022'] }, { 'esm.mts': esm }],
  [
    'a resolver that does not read `exports`',
    { module: 'CommonJS', moduleResolution: 'Node10' },
    { 'old.ts': NODE_10 },
  ],
])('types are found for %s', (name, options, files) => {
  expect(compile(name.replaceAll(/\W/g, '-'), { skipLibCheck: true, ...options }, files)).toEqual([])
})

test('the declarations themselves are free of errors', () => {
  const own = compile('declarations', NODE_16, { 'use.mts': ALL }).filter((line) => line.includes('/tabport/'))
  expect(own).toEqual([])
})

const own = platforms().find(({ os, cpu }) => os === process.platform && cpu === process.arch)!
const packed = ['tabport', 'tabport-all', own.package].map((name) => [name])

test.each(packed)('publint finds nothing in %s', (name) => {
  const { stdout, stderr } = runTool('publint/src/cli.js', '--strict', tarball(name!))
  expect(stdout).toContain('All good!')
  expect(stderr).toBe('')
})

test.each(packed.slice(0, 2))('attw finds no wrong types in %s', (name) => {
  const { status, stdout } = runTool('@arethetypeswrong/cli/dist/index.js', tarball(name!), '--format', 'ascii')
  expect(stdout).toContain('No problems found')
  expect(status).toBe(0)
})

const tarball = (name: string): string => path.join(inject('tarballs'), tarballName(name))
