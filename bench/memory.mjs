// W5: what idle tunnels weigh, each contender alone and in a fresh process.
import { readdirSync, readFileSync } from 'node:fs'
import { Child } from './children.mjs'
import { startAll } from './contenders.mjs'
import { program } from './paths.mjs'
import { inTree, resident } from './processes.mjs'

const MOST_TUNNELS = 9_500
/** Descriptors that a proxy needs beside those of its tunnels. */
const SPARE = 500

export async function runMemory(contenders, quick, origin, notes) {
  const results = {}
  for (const contender of contenders) {
    if (contender.cannot?.includes('idle')) continue
    const [target] = await startAll([contender], origin, notes)
    if (!target) continue
    results[contender.name] = await weigh(target, Math.min(contender.idle ?? MOST_TUNNELS, limit(quick)), origin)
  }
  return results
}

async function weigh({ child, load }, tunnels, origin) {
  const before = { kib: resident(child.pid).pss, descriptors: descriptors(child.pid) }
  const args = ['idle', '--connections', String(tunnels), '--origin', origin.ports.join(','), ...load]
  const client = new Child(program('load'), args, { patience: 120_000 })
  try {
    const { open } = await client.answer()
    const after = { kib: resident(child.pid).pss, descriptors: descriptors(child.pid) }
    client.tell('echo')
    const { alive } = await client.answer()
    return {
      asked: tunnels,
      open,
      alive,
      kibPerTunnel: (after.kib - before.kib) / open,
      descriptorsPerTunnel: (after.descriptors - before.descriptors) / open,
    }
  } finally {
    await client.stop()
    await child.stop()
  }
}

/** As many tunnels as descriptors allow, of which a proxy needs two for each. */
function limit(quick) {
  const [, hard] = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
  const allowed = hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
  return Math.min(quick ? 1_000 : MOST_TUNNELS, Math.floor((allowed - SPARE) / 2))
}

const descriptors = (pid) => inTree(pid, (each) => readdirSync(`/proc/${each}/fd`).length)
