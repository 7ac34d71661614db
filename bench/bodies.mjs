// W11: a body of 1 GiB through a reverse proxy, down and up in turn: what it costs, and how much memory it takes, the most
// over all rounds. Nobody may hold such a body.
import { startAll } from './contenders.mjs'
import { forgetPeak, peak, resident } from './processes.mjs'
import { DIRECT, measure } from './rounds.mjs'
import { spread, sum } from './statistics.mjs'

const GIB = 1024 ** 3
const ONE = ['--warm-ms', '0', '--most', '1', '--ms', '60000']
const DIRECTIONS = ['down', 'up']

export async function runBodies(contenders, rounds, origin, notes) {
  const targets = [DIRECT]
  try {
    targets.push(...(await startAll(contenders, origin, notes)))
    const weights = new Map(targets.map((target) => [target, weight(target)]))
    const samples = new Map(targets.map((target) => [target, { down: [], up: [] }]))
    for (let round = 0; round < rounds; round++) {
      for (const target of targets) {
        for (const direction of DIRECTIONS) {
          const sample = await move(direction, target, origin)
          if (sample.ops === 1) samples.get(target)[direction].push(sample)
          else
            notes.push(`${target.name}, 1 GiB ${direction}: ${sample.failure.slice(0, 80) || 'it never came through'}`)
        }
      }
    }
    return Object.fromEntries(
      targets.map((target) => [target.name, summary(samples.get(target), grown(target, weights))]),
    )
  } finally {
    await Promise.all(targets.map(({ child }) => child?.stop()))
  }
}

const move = (direction, target, origin) =>
  measure(['http', '--connections', '1', `--${direction}`, String(GIB)], target, origin, ONE)

function weight({ child }) {
  if (!child) return undefined
  forgetPeak(child.pid)
  return resident(child.pid).rss
}

const grown = (target, weights) => target.child && peak(target.child.pid) - weights.get(target)

function summary(samples, grownKiB) {
  const [down, up] = DIRECTIONS.map((direction) => {
    const cpu = samples[direction].map(({ cpu }) => cpu)
    return { rate: spread(samples[direction].map(({ seconds }) => GIB / seconds)), cpu: sum(cpu) / cpu.length }
  })
  return { down, up, grownKiB }
}
