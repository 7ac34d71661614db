// On what, and with what, a run was made.
import { readFileSync } from 'node:fs'
import os from 'node:os'
import { inRoot } from '../scripts/lib/paths.mjs'
import { ask } from '../scripts/lib/run.mjs'
import { peerVersions } from './peers.mjs'

export function describeMachine(names) {
  const cpus = os.cpus()
  return {
    cpu: cpus[0]?.model.trim() ?? os.arch(),
    cores: cpus.length,
    virtual: /^flags\s*:.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'utf8')),
    memoryGiB: Math.round(os.totalmem() / 1024 ** 3),
    kernel: `${os.type()} ${os.release()}`,
    node: process.versions.node,
    rust: ask('rustc', ['--version'])?.split(' ')[1],
    revision: revision(),
    versions: { hyper: locked('hyper'), tokio: locked('tokio'), ...peerVersions(names) },
  }
}

function revision() {
  const commit = ask('git', ['rev-parse', '--short', 'HEAD'])
  const changed = ask('git', ['status', '--porcelain', 'native', 'index.js'])
  return commit && (changed ? `${commit} with changes` : commit)
}

/** The version of a crate that the bench's lock file names. */
function locked(name) {
  const lock = readFileSync(inRoot('bench', 'Cargo.lock'), 'utf8')
  return new RegExp(`name = "${name}"\nversion = "(.+)"`).exec(lock)?.[1]
}
