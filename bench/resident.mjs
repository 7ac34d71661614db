// W10: what a gateway has in memory: just started, and after the load, when its connections have gone. Each alone and in a
// fresh process.
import { startAll } from './contenders.mjs'
import { resident } from './processes.mjs'
import { measure } from './rounds.mjs'
import { WORKLOADS } from './workloads.mjs'

const WINDOW = ['--warm-ms', '0', '--ms', '1000']

export async function runResident(contenders, origin, notes) {
  const { load } = WORKLOADS.find(({ key }) => key === 'gateway')
  const results = {}
  for (const contender of contenders) {
    const [target] = await startAll([contender], origin, notes)
    if (!target) continue
    try {
      const idle = resident(target.child.pid)
      await measure(load, target, origin, WINDOW)
      results[contender.name] = { idle, after: resident(target.child.pid) }
    } finally {
      await target.child.stop()
    }
  }
  return results
}
