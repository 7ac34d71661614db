// W8: latency beside a host whose main thread is not there for 20 ms of every 40. `blocked` waits without using the
// CPU, which shows whether any request needs that thread; `computing` also takes a core away from everyone, the load
// and the origin included: compare it with direct's.
import { Child } from './children.mjs'
import { startAll } from './contenders.mjs'
import { runtime } from './paths.mjs'
import { measure } from './rounds.mjs'
import { median, paired, spread } from './statistics.mjs'
import { BUSY_LOAD } from './workloads.mjs'

const CHORES = ['idle', 'blocked', 'computing']

export async function runBusy(contenders, rounds, origin, notes) {
  const targets = []
  try {
    targets.push(await directBesideNode())
    const scripts = contenders.filter(({ script }) => script)
    targets.push(...(await startAll(scripts, origin, notes)))
    const samples = Object.fromEntries(targets.map(({ name }) => [name, { idle: [], blocked: [], computing: [] }]))
    for (let round = 0; round < rounds; round++) {
      for (const target of targets) await oneRound(target, samples[target.name], origin)
    }
    return Object.fromEntries(targets.map(({ name }) => [name, summary(samples[name])]))
  } finally {
    await Promise.all(targets.map(({ child }) => child.stop()))
  }
}

async function directBesideNode() {
  const child = new Child(process.execPath, [runtime, 'bare'])
  await child.answer()
  return { name: 'direct', child, load: [] }
}

async function oneRound(target, samples, origin) {
  for (const chore of CHORES) {
    await give(target.child, chore)
    samples[chore].push((await measure(BUSY_LOAD, target, origin)).p99)
  }
  await give(target.child, 'idle')
}

async function give(child, chore) {
  child.tell(chore)
  await child.answer()
}

function summary(samples) {
  const p99 = Object.fromEntries(CHORES.map((chore) => [chore, median(samples[chore])]))
  const ratio = (chore) => spread(paired(samples[chore], samples.idle))
  return { p99, blocked: ratio('blocked'), computing: ratio('computing') }
}
