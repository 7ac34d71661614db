// The npm dependencies of the repository, as the lock file has them.
import { existsSync } from 'node:fs'
import { fingerprint, isStamped, stamp } from './fingerprint.mjs'
import { inRoot } from './paths.mjs'
import { quiet } from './run.mjs'

export async function installPackages() {
  const wanted = fingerprint(['package-lock.json'])
  if (existsSync(inRoot('node_modules', '.package-lock.json')) && isStamped('node_modules', wanted)) return 'up to date'
  await quiet('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  stamp('node_modules', wanted)
  return 'installed'
}
