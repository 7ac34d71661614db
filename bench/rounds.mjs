// Interleaved rounds: direct, then every contender for a moment each, and again in another order. What the machine
// does meanwhile then hits all of them, and ratios are taken between neighbours.
import { ask } from './children.mjs'
import { startAll } from './contenders.mjs'
import { program } from './paths.mjs'
import { paired, spread, sum } from './statistics.mjs'

const ROUND = ['--warm-ms', '80', '--ms', '300']
/** Long enough for a contender in JavaScript to be compiled. */
const FIRST = ['--warm-ms', '500', '--ms', '300']
/** The origin itself, without a proxy. */
export const DIRECT = { name: 'direct', load: [] }
/** Of all messages: more, and what was measured is something else. */
const BEARABLE_ERRORS = 0.001
const ATTEMPTS = 3

/** One measurement: the load's own figures. */
export const measure = (load, target, origin, times = ROUND) =>
  ask(program('load'), [...load, '--origin', origin.ports.join(','), ...target.load, ...times])

/** Measures one workload with those that do what it is about. `notes` collects who could not take part, and why. */
export async function runWorkload(workload, contenders, rounds, origin, notes) {
  const { kind = 'forward' } = workload
  const able = contenders.filter((each) => each.kind === kind && !each.cannot?.includes(workload.key))
  const targets = workload.withoutDirect ? [] : [DIRECT]
  try {
    targets.push(...(await startAll(able, origin, notes)))
    const fit = await fitForIt(workload, targets, origin, notes)
    const samples = Object.fromEntries(fit.map(({ name }) => [name, []]))
    for (let round = 0; round < rounds; round++) {
      for (const target of inTurn(fit, round)) samples[target.name].push(await measure(workload.load, target, origin))
    }
    return summary(workload, samples, notes)
  } finally {
    await Promise.all(targets.map(({ child }) => child?.stop()))
  }
}

/** A first measurement, thrown away: it warms a contender up, and shows whether it can do this at all. */
async function fitForIt(workload, targets, origin, notes) {
  const fit = []
  for (const target of targets) {
    const works = (sample) => workload.amount(sample) > 0 && isClean(sample)
    let sample
    for (let attempt = 0; attempt < ATTEMPTS && !(sample && works(sample)); attempt++) {
      sample = await measure(workload.load, target, origin, FIRST)
    }
    if (works(sample)) fit.push(target)
    else notes.push(`${target.name} cannot do “${workload.title}”: ${complaint(sample)}`)
  }
  return fit
}

const isClean = ({ errors, ops }) => errors <= Math.max(ops, 1) * BEARABLE_ERRORS

const complaint = ({ errors, failure }) =>
  errors ? `${errors} errors, ${failure.slice(0, 80)}` : 'nothing came through'

/** Direct first, for it is the measure; the others begin with another one in every round. */
function inTurn(targets, round) {
  const direct = targets.filter((target) => target === DIRECT)
  const others = targets.filter((target) => target !== DIRECT)
  const first = round % Math.max(others.length, 1)
  return [...direct, ...others.slice(first), ...others.slice(0, first)]
}

function summary(workload, samples, notes) {
  const contenders = {}
  const rates = (name) => samples[name]?.map((sample) => workload.amount(sample) / sample.seconds)
  const series = (name, key) => samples[name]?.map((sample) => (sample.ops > 0 ? sample[key] : undefined))
  for (const name of Object.keys(samples)) {
    const unclean = samples[name].filter((sample) => !isClean(sample))
    if (unclean.length > 0) {
      notes.push(`${name}, “${workload.title}”: errors in ${unclean.length} rounds (${complaint(unclean[0])})`)
    }
    const [perSecond, p50] = [rates(name), series(name, 'p50')]
    contenders[name] = {
      rates: perSecond,
      rate: spread(perSecond),
      toDirect: spread(paired(perSecond, rates('direct'))),
      added: paired(p50, series('direct', 'p50'), (own, direct) => own - direct),
      p50: spread(p50),
      p99: spread(series(name, 'p99')),
      cpu: cost(workload, samples[name]),
    }
  }
  const { id, key, title, unit, shown } = workload
  return { id, key, title, unit, shown, costUnit: workload.cost, contenders }
}

/** CPU time over all rounds: one alone is too short for a clock of 10 ms. */
function cost({ amount, costOf }, samples) {
  if (samples.some(({ cpu }) => cpu === null)) return undefined
  return (sum(samples.map(({ cpu }) => cpu)) / sum(samples.map(amount))) * costOf
}
