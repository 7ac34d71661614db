// Python packages for tests, in the cache: pip checks each against its digest, and nothing is installed into any Python.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { fingerprint, isStamped, stamp } from './fingerprint.mjs'
import { inRoot } from './paths.mjs'
import { ask, quiet } from './run.mjs'

/** What a requirements file of the repository asks for, in a folder of its own. */
export class PythonPackages {
  /** `platform` is a wheel's, such as `musllinux_1_2_x86_64`, when it is not for this machine. */
  constructor(name, folder, requirements, platform) {
    this.stamp = `python-${name}`
    this.folder = folder
    this.requirements = requirements
    this.platform = platform
  }

  /** Whether what is in the cache is what is asked for. */
  arePresent() {
    return existsSync(this.folder) && isStamped(this.stamp, this.wanted())
  }

  /** Fetches them, unless they are there; returns what was done. */
  async provide() {
    if (this.arePresent()) return 'up to date'
    const staging = `${this.folder}.new`
    rmSync(staging, { recursive: true, force: true })
    mkdirSync(staging, { recursive: true })
    const options = ['-q', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:', '--require-hashes']
    const which = this.platform ? ['--platform', this.platform] : []
    const where = ['--target', staging, '-r', inRoot(this.requirements)]
    await quiet('python3', ['-m', 'pip', 'install', ...options, ...which, ...where])
    rmSync(this.folder, { recursive: true, force: true })
    renameSync(staging, this.folder)
    stamp(this.stamp, this.wanted())
    return 'installed'
  }

  /** Compiled parts are for one version of Python. */
  wanted() {
    return [fingerprint([this.requirements]), ask('python3', ['--version']), this.platform].filter(Boolean).join(' ')
  }
}
