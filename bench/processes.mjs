// What the system says of the memory of a process and of all below it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { sum } from './statistics.mjs'

/**
 * What is resident, in KiB: `rss` counts a page once for each process that shares it, `pss` in shares, `own` only what no
 * other process has.
 */
export function resident(pid) {
  const of = (...names) => inTree(pid, (each) => kib(read(each, 'smaps_rollup'), names))
  return { rss: of('Rss'), pss: of('Pss'), own: of('Private_Clean', 'Private_Dirty') }
}

/** Forgets how much was resident at the most. */
export function forgetPeak(pid) {
  for (const each of tree(pid)) writeFileSync(`/proc/${each}/clear_refs`, '5')
}

/** How much was resident at the most since that was forgotten, in KiB, a shared page once for each process. */
export const peak = (pid) => inTree(pid, (each) => kib(read(each, 'status'), ['VmHWM']))

/** Adds up what `of` says of a process and of all below it. */
export const inTree = (pid, of) => sum(tree(pid).map(of))

function tree(pid) {
  const threads = readdirSync(`/proc/${pid}/task`)
  const children = threads.flatMap((thread) => read(pid, `task/${thread}/children`).split(' ').filter(Boolean))
  return [pid, ...children.flatMap(tree)]
}

const kib = (text, names) =>
  sum(names.map((name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)))

const read = (pid, file) => readFileSync(`/proc/${pid}/${file}`, 'utf8')
