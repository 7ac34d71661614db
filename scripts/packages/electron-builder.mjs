// The packager that most apps are packed with, for one test. It has hundreds of dependencies, so it is no development
// dependency: it goes into the cache when the packages are made.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { cache } from '../lib/paths.mjs'
import { quiet } from '../lib/run.mjs'

const VERSION = '26.17.0'
const installed = path.join(cache, `electron-builder-${VERSION}`)

/** Its program, which Node runs, or undefined while it is not in the cache. */
export function findElectronBuilder() {
  const program = path.join(installed, 'node_modules', 'electron-builder', 'out', 'cli', 'cli.js')
  return existsSync(program) ? program : undefined
}

export async function provideElectronBuilder() {
  if (findElectronBuilder()) return 'up to date'
  const staging = `${installed}.new`
  rmSync(staging, { recursive: true, force: true })
  mkdirSync(staging, { recursive: true })
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', staging]
  await quiet('npm', ['install', ...options, `electron-builder@${VERSION}`])
  renameSync(staging, installed)
  return 'installed'
}
