// W6: how long an application waits for a proxy, and how much it grows, each time in a fresh Node process.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { root } from '../scripts/lib/paths.mjs'
import { ask } from './children.mjs'
import { runtime } from './paths.mjs'
import { spread } from './statistics.mjs'

export async function runStartup(contenders, starts) {
  forgetPages(root)
  const scripts = contenders.filter(({ script }) => script).map(({ script }) => script)
  const samples = Object.fromEntries(scripts.map((name) => [name, []]))
  for (let start = 0; start < starts; start++) {
    for (const name of scripts) {
      samples[name].push(await ask(process.execPath, ['--expose-gc', runtime, name, '--weigh']))
    }
  }
  const series = (name, key) => spread(samples[name].map((sample) => sample[key]))
  return Object.fromEntries(
    scripts.map((name) => [
      name,
      { requireMs: series(name, 'requireMs'), startMs: series(name, 'startMs'), grownKiB: series(name, 'grownKiB') },
    ]),
  )
}

/**
 * Has the system read the addon from disk, as after a boot. Of a file that was written just now it maps larger pieces
 * around what is used, and all of that would count as memory.
 */
function forgetPages(folder) {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.node'))) {
    spawnSync('dd', [`if=${path.join(folder, file)}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' })
  }
}
