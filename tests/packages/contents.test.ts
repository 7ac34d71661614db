// What is in each tarball: the files that it is for and no others, with the licences of what is linked into the addon.
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { expect, inject, test } from 'vitest'
import { ask } from '../../scripts/lib/run.mjs'
import { linkedCrates } from '../../scripts/packages/licences.mjs'
import { tarballName } from '../../scripts/packages/pack.mjs'
import { platforms } from '../../scripts/packages/targets.mjs'
import { readPacked } from './registry.ts'

const own = platforms().find(({ os, cpu }) => os === process.platform && cpu === process.arch)!
const tarball = (name: string): string => path.join(inject('tarballs'), tarballName(name))
const LICENCES = 'THIRD-PARTY-LICENSES.txt'
const ALWAYS = ['LICENSE', 'README.md', 'package.json']

/** Its files outside of `dist`, which the exports of the manifest are compared with elsewhere. */
function files(name: string): string[] {
  const listed = spawnSync('tar', ['-tzf', tarball(name)], { encoding: 'utf8' })
    .stdout.trim()
    .split('\n')
  return listed.map((file) => file.replace('package/', '')).filter((file) => !file.startsWith('dist/'))
}

test('a package has what it is for', () => {
  const entries = ['index', 'electron', 'playwright'].flatMap((name) => [`${name}.d.ts`, `${name}.js`])
  const root = [...entries, ...ALWAYS, 'CHANGELOG.md'].sort()
  expect(files('tabport').sort()).toEqual(root)
  expect(files(own.package).sort()).toEqual([...ALWAYS, LICENCES, own.binary].sort())
  const all = files('tabport-all')
  expect(all).toContain(own.binary)
  expect(all.filter((file) => !file.endsWith('.node')).sort()).toEqual([...root, LICENCES].sort())
})

test.each(['tabport-all', own.package])('%s has the notices of every crate in its addon', (name) => {
  const text = readPacked(tarball(name), `package/${LICENCES}`)
  const crates: { name: string; version: string }[] = linkedCrates()
  const names = crates.map((crate) => crate.name)
  expect(names).toEqual(expect.arrayContaining(['ring', 'tokio', 'security-framework', 'windows-sys']))
  expect(names, 'is of the programs').not.toContain('clap')
  expect(names, 'only writes code').not.toContain('napi-derive')
  for (const crate of crates) expect.soft(text).toContain(`${crate.name} ${crate.version}`)
  expect(text).toContain('Copyright (c) Tokio Contributors')
  expect(text).toContain('Copyright (c) The Rust Project contributors')
})

test('what a command prints is read to its end, be it megabytes', () => {
  const print = `process.stdout.write(Buffer.alloc(${2 ** 21},120))`
  expect(ask('node', ['-e', print])).toHaveLength(2 ** 21)
})
