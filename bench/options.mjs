// The command line of `npm run bench`.
import { StepError } from '../scripts/lib/step.mjs'

export const WORKLOADS = ['W1', 'W2', 'W3', 'W4', 'W5', 'W6', 'W7', 'W8', 'W9', 'W10', 'W11']

const USAGE = `npm run bench -- [--quick] [--rounds N] [--only W1,W3] [--contenders tabport,node-plain] | --plots

  --quick         2 rounds, few starts and page loads: shows that everything runs, not how fast
  --rounds N      rounds of each workload (8)
  --only LIST     some of W1 requests, W2 bodies, W3 tunnels, W4 WebSocket, W5 memory, W6 start, W7 HTTP/2, W8 busy host,
                  W9 modules in Chromium, W10 gateways, W11 reverse proxies
  --contenders L  some of the contenders; \`direct\` is always measured
  --plots         measures nothing: docs/performance.md and all plots anew, from bench/results.json

Only a run of everything writes bench/results.json, docs/BENCHMARKS.md and docs/performance.md; any other writes to
.cache/bench/.`

/** Reads the words after `npm run bench --`. `known` are the names of all contenders. */
export function readOptions(words, known) {
  const options = { quick: false, plots: false, rounds: undefined, only: WORKLOADS, contenders: known }
  const rest = [...words]
  while (rest.length > 0) {
    const word = rest.shift()
    if (word === '--quick') options.quick = true
    else if (word === '--plots') options.plots = true
    else if (word === '--rounds') options.rounds = count(rest.shift())
    else if (word === '--only') options.only = choose(rest.shift(), WORKLOADS)
    else if (word === '--contenders') options.contenders = choose(rest.shift(), known)
    else throw new StepError(USAGE)
  }
  const { quick, only, contenders } = options
  const whole = !quick && only.length === WORKLOADS.length && contenders.length === known.length
  return { ...options, whole, rounds: options.rounds ?? (quick ? 2 : 8), starts: quick ? 5 : 31, loads: quick ? 2 : 9 }
}

function count(word) {
  const number = Number(word)
  if (!Number.isInteger(number) || number < 1) throw new StepError(USAGE)
  return number
}

function choose(word, known) {
  const chosen = (word ?? '').split(',').filter((name) => name !== 'direct')
  const unknown = chosen.filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new StepError(`Unknown: ${unknown.join(', ')}. Known: ${known.join(', ')}.\n\n${USAGE}`)
  return known.filter((name) => chosen.includes(name))
}
