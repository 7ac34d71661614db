// Other people's proxies: fetched into `.cache/bench`, and nowhere else. Nothing on the system changes: a Debian
// package that is not installed is unpacked with the libraries that it needs and that are not there either.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ask, quiet } from '../scripts/lib/run.mjs'
import { StepError } from '../scripts/lib/step.mjs'
import { home } from './paths.mjs'

/** Newer ones need their figures looked at anew. */
const NPM = { 'proxy-chain': '3.0.1', mockttp: '4.6.5' }
const BINARIES = {
  squid: 'usr/sbin/squid',
  tinyproxy: 'usr/bin/tinyproxy',
  nginx: 'usr/sbin/nginx',
  haproxy: 'usr/sbin/haproxy',
}

const npmHome = path.join(home, 'npm')
const debianHome = path.join(home, 'debian')

/** Fetches what the contenders of these names need. Returns why, by name, for those that cannot be had. */
export async function providePeers(names) {
  const missing = {}
  const attempt = (name, work) =>
    work().catch((error) => {
      missing[name] = error.message.trim().split('\n').at(-1)
    })
  for (const name of names) {
    if (name in NPM) await attempt(name, () => npmPackage(name))
    if (name in BINARIES) await attempt(name, () => debianPackage(name))
  }
  return missing
}

async function npmPackage(name) {
  const directory = path.join(npmHome, name)
  if (npmVersion(name) === NPM[name]) return
  mkdirSync(directory, { recursive: true })
  writeFileSync(path.join(directory, 'package.json'), '{ "private": true }\n')
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--save-exact', '--loglevel=error']
  await quiet('npm', ['install', '--prefix', directory, ...flags, `${name}@${NPM[name]}`])
}

function npmVersion(name) {
  const manifest = path.join(npmHome, name, 'node_modules', name, 'package.json')
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : undefined
}

async function debianPackage(name) {
  if (systemBinary(name) || existsSync(path.join(debianHome, name, BINARIES[name]))) return
  if (ask('dpkg', ['--version']) === undefined) throw new StepError('not a Debian system')
  const packages = notInstalled(name) ?? (await updated(name))
  const download = path.join(debianHome, `${name}.download`)
  rmSync(download, { recursive: true, force: true })
  mkdirSync(download, { recursive: true })
  const flags = ['-q', '-o', 'APT::Sandbox::User=root']
  await quiet('sh', ['-c', `cd "$0" && apt-get ${flags.join(' ')} download "$@"`, download, ...packages])
  for (const file of readdirSync(download)) {
    await quiet('dpkg', ['-x', path.join(download, file), path.join(debianHome, name)])
  }
  rmSync(download, { recursive: true })
}

async function updated(name) {
  if (process.getuid() === 0) await quiet('apt-get', ['update', '-q'])
  const packages = notInstalled(name)
  if (!packages) throw new StepError('the package lists do not know it: run `apt-get update`')
  return packages
}

/** The package and those it needs, less what is installed in some version; undefined without package lists. */
function notInstalled(name) {
  const plan = ask('apt-get', ['-s', 'install', '--no-install-recommends', name])
  return plan && Array.from(plan.matchAll(/^Inst (\S+) \(/gm), ([, needed]) => needed)
}

const systemBinary = (name) => existsSync(path.join('/', BINARIES[name]))

/** Where a Debian peer is, and a directory of its own to write to. */
export function debianPeer(name) {
  const root = systemBinary(name) ? '/' : path.join(debianHome, name)
  const libraries = path.join(root, 'usr', 'lib')
  // A package that needs no library has no such folder.
  const triplets =
    root === '/' || !existsSync(libraries) ? [] : readdirSync(libraries).filter((entry) => entry.includes('-linux-'))
  const directory = path.join(home, 'run', name)
  mkdirSync(directory, { recursive: true })
  return {
    bin: path.join(root, BINARIES[name]),
    env: root === '/' ? {} : { LD_LIBRARY_PATH: triplets.map((triplet) => path.join(libraries, triplet)).join(':') },
    libraries,
    share: path.join(root, 'usr', 'share'),
    directory,
  }
}

/** The versions of the peers that are there. */
export function peerVersions(names) {
  const version = (name) => {
    if (name in NPM) return npmVersion(name)
    if (!(name in BINARIES)) return undefined
    const { bin, env } = debianPeer(name)
    // nginx says it on standard error.
    const command = ['-c', 'LD_LIBRARY_PATH="$1" "$0" -v 2>&1', bin, env.LD_LIBRARY_PATH ?? '']
    return /\d+\.\d+(\.\d+)?/.exec(ask('sh', command) ?? '')?.[0]
  }
  return Object.fromEntries(names.map((name) => [name, version(name)]).filter(([, found]) => found))
}
