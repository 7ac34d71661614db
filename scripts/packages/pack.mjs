// Makes the tarballs: each from a folder that holds exactly what is published, which npm then packs.
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { inRoot } from '../lib/paths.mjs'
import { ask } from '../lib/run.mjs'
import { StepError } from '../lib/step.mjs'
import { thirdPartyLicences } from './licences.mjs'
import { fatManifest, platformManifest, rootManifest, THIRD_PARTY } from './manifest.mjs'
import { platforms } from './targets.mjs'

/**
 * Packs what there are binaries of in one folder into another: the root package, one for each platform found, and the
 * one with all of those. Returns the platforms found.
 */
export function pack(binaries, directory) {
  const found = platforms().filter(({ binary }) => existsSync(path.join(binaries, binary)))
  mkdirSync(directory, { recursive: true })
  const licences = path.join(directory, THIRD_PARTY)
  writeFileSync(licences, thirdPartyLicences())
  const packAs = (manifest, readme) =>
    packFolder(directory, manifest, sources(manifest.files, { binaries, readme, licences }))
  const all = fatManifest(found.map(({ binary }) => binary))
  for (const manifest of [rootManifest(), all]) packAs(manifest, inRoot('docs', 'NPM.md'))
  const readme = inRoot('scripts', 'packages', 'platform-readme.md')
  for (const platform of found) packAs(platformManifest(platform), readme)
  rmSync(licences)
  return found
}

/** Where each file of a package comes from, by its place in the package. */
function sources(files, { binaries, readme, licences }) {
  const source = (file) => {
    if (file === THIRD_PARTY) return licences
    return path.join(file.endsWith('.node') ? binaries : inRoot(), file)
  }
  return [...files.map((file) => [file, source(file)]), ['README.md', readme], ['LICENSE', inRoot('LICENSE')]]
}

function packFolder(directory, manifest, contents) {
  const folder = mkdtempSync(path.join(directory, 'staging-'))
  for (const [name, source] of contents) cpSync(source, path.join(folder, name), { recursive: true })
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
  const tarball = npmPack(folder, directory)
  rmSync(folder, { recursive: true })
  renameSync(path.join(directory, tarball), path.join(directory, tarballName(manifest.name)))
}

function npmPack(folder, directory) {
  const options = ['--pack-destination', directory, '--json', '--ignore-scripts']
  const printed = ask('npm', ['pack', folder, ...options], { stderr: 'inherit' })
  if (!printed) throw new StepError(`npm cannot pack ${folder}.`)
  return JSON.parse(printed)[0].filename
}

/** Without the version, so that scripts and workflows can name it. */
export const tarballName = (name) => `${name.replace('@', '').replace('/', '-')}.tgz`
