// All crates, packages and images have one version, and what is packed names it.
import { readFileSync } from 'node:fs'
import { expect, inject, test } from 'vitest'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { rootManifest } from '../../scripts/packages/manifest.mjs'
import { platforms, readManifest } from '../../scripts/packages/targets.mjs'
import { readPacked } from './registry.ts'

const { version } = readManifest()
const read = (file: string): string => readFileSync(inRoot(file), 'utf8')

test('the crates have the version of the package', () => {
  const cargo = read('Cargo.toml')
  const [, inWorkspace] = cargo.match(/\[workspace\.package\]\nversion = "([^"]+)"/)!
  expect(inWorkspace).toBe(version)
  const members = Array.from(cargo.match(/members = \[([^\]]+)\]/)![1]!.matchAll(/"([^"]+)"/g), ([, path]) => path!)
  expect(members).toContain('native/engine')
  const lock = read('Cargo.lock')
  for (const member of members) {
    const manifest = read(`${member}/Cargo.toml`)
    expect.soft(manifest, member).toContain('\nversion.workspace = true\n')
    const [, name] = manifest.match(/^name = "([^"]+)"/m)!
    expect.soft(lock, name).toContain(`name = "${name}"\nversion = "${version}"\n`)
  }
})

test('what only names the crates and the image has their version, too', () => {
  expect(read('fuzz/Cargo.lock')).toContain(`name = "tabport-engine"\nversion = "${version}"\n`)
  expect(read('deploy/kubernetes/kustomization.yaml')).toContain(`newTag: ${version}\n`)
})

test('the lock file has the version of the package', () => {
  const lock = JSON.parse(read('package-lock.json'))
  expect([lock.version, lock.packages[''].version]).toEqual([version, version])
})

test('the root package asks for every platform package in its own version, and the repository for none', () => {
  const wanted = Object.fromEntries(platforms().map((platform) => [platform.package, version]))
  expect(rootManifest().optionalDependencies).toEqual(wanted)
  const packed = JSON.parse(readPacked(`${inject('tarballs')}/tabport.tgz`, 'package/package.json'))
  expect(packed).toMatchObject({ version, optionalDependencies: wanted })
  expect(packed).not.toHaveProperty('devDependencies')
  expect(packed).not.toHaveProperty('scripts')
  expect(readManifest()).not.toHaveProperty('optionalDependencies')
})
