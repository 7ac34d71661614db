/**
 * The Python packages that the wire cases use, in the cache: pip checks each against its digest, and nothing is
 * installed into any Python.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fingerprint, isStamped, stamp } from '../../../scripts/lib/fingerprint.mjs'
import { inRoot } from '../../../scripts/lib/paths.mjs'
import { quiet } from '../../../scripts/lib/run.mjs'
import { conformanceCache } from '../python.mjs'

const REQUIREMENTS = 'tests/conformance/http2/requirements.txt'
const STAMP = 'http2-packages'

export const packages = path.join(conformanceCache, 'http2')

/** Whether what is in the cache is what is asked for. */
export const hasPackages = () => existsSync(packages) && isStamped(STAMP, fingerprint([REQUIREMENTS]))

/** Fetches the packages, unless they are there; returns what was done. */
export async function providePackages() {
  if (hasPackages()) return 'up to date'
  const staging = `${packages}.new`
  rmSync(staging, { recursive: true, force: true })
  mkdirSync(staging, { recursive: true })
  const options = ['-q', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:', '--require-hashes']
  await quiet('python3', ['-m', 'pip', 'install', ...options, '--target', staging, '-r', inRoot(REQUIREMENTS)])
  rmSync(packages, { recursive: true, force: true })
  renameSync(staging, packages)
  stamp(STAMP, fingerprint([REQUIREMENTS]))
  return 'installed'
}
