// W6: how long an application waits for a proxy, and how much it grows, each time in a fresh Node process.
import { ask } from './children.mjs'
import { runtime } from './paths.mjs'
import { spread } from './statistics.mjs'

export async function runStartup(contenders, starts) {
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
