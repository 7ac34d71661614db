// Measures tabport beside other proxies; docs/BENCHMARKS.md says how. `npm run bench -- --quick` for a first look.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { runBodies } from '../bench/bodies.mjs'
import { runBusy } from '../bench/busy.mjs'
import { Child } from '../bench/children.mjs'
import { provideChromium } from '../bench/chromium.mjs'
import { CONTENDERS } from '../bench/contenders.mjs'
import { document } from '../bench/document.mjs'
import { judge } from '../bench/goals.mjs'
import { describeMachine } from '../bench/machine.mjs'
import { runMemory } from '../bench/memory.mjs'
import { runModules } from '../bench/modules.mjs'
import { readOptions } from '../bench/options.mjs'
import { home, manifest, program, target } from '../bench/paths.mjs'
import { providePeers } from '../bench/peers.mjs'
import { writePerformance } from '../bench/performance.mjs'
import { plot } from '../bench/plot.mjs'
import { asText, goalRows, tables } from '../bench/report.mjs'
import { runResident } from '../bench/resident.mjs'
import { runWorkload } from '../bench/rounds.mjs'
import { runStartup } from '../bench/startup.mjs'
import { WORKLOADS } from '../bench/workloads.mjs'
import { buildAddon } from './lib/build.mjs'
import { installPackages } from './lib/packages.mjs'
import { inRoot } from './lib/paths.mjs'
import { bin, quiet } from './lib/run.mjs'
import { main, StepError, step } from './lib/step.mjs'
import { checkToolchain } from './lib/toolchain.mjs'

/** Whose business a workload is, where that is not forward proxies'. */
const KINDS = { W10: 'gateway', W11: 'reverse' }

const RESULTS = inRoot('bench', 'results.json')

await main(async () => {
  if (process.platform !== 'linux') throw new StepError('The bench reads /proc: it runs on Linux only.')
  const names = [...new Set(CONTENDERS.map(({ name }) => name))]
  const options = readOptions(process.argv.slice(2), names)
  if (options.plots) return draw(JSON.parse(readFileSync(RESULTS, 'utf8')), inRoot('docs'))
  const kinds = new Set(options.only.map((id) => KINDS[id] ?? 'forward'))
  const chosen = CONTENDERS.filter(({ name, kind }) => options.contenders.includes(name) && kinds.has(kind))
  const missing = await prepare(chosen, options)
  const contenders = chosen.filter(({ name }) => !missing[name])
  const notes = Object.entries(missing).map(([name, why]) => `${name} could not be had: ${why}`)
  const began = Date.now()
  const figures = await measureAll(options, contenders, missing, notes)
  const { rounds, starts, loads } = options
  const machine = describeMachine(contenders.map(({ name }) => name))
  const minutes = Math.ceil((Date.now() - began) / 60_000)
  const results = { date: new Date(began).toISOString(), minutes, rounds, starts, loads, machine, notes, ...figures }
  results.goals = judge(results)
  show(results)
  await write(results, contenders, options.whole && Object.keys(missing).length === 0)
})

/** Builds and fetches all that takes part. Returns why, by name, for those that cannot. */
async function prepare(contenders, { only }) {
  await step('toolchain', () => checkToolchain())
  await step('npm packages', installPackages)
  if (contenders.some(({ kind }) => kind === 'forward')) await step('native addon', buildAddon)
  for (const { door } of contenders.filter(({ door }) => door)) {
    await step(door, () => quiet('cargo', ['build', '--release', '--locked', '--package', door]))
  }
  const build = ['build', '--release', '--locked', '--manifest-path', manifest, '--target-dir', target]
  await step('load, origin and our own contenders', () => quiet('cargo', build))
  let missing = {}
  await step('peers and browser', async () => {
    missing = await providePeers(contenders.map(({ name }) => name))
    if (only.includes('W9')) Object.assign(missing, await provideChromium())
    return Object.keys(missing).length > 0 ? `without ${Object.keys(missing).join(', ')}` : ''
  })
  return missing
}

async function measureAll({ only, rounds, starts, loads, quick }, contenders, missing, notes) {
  const origin = new Child(program('origin'), [])
  const { ports } = await origin.answer()
  const results = { workloads: [] }
  const of = (kind) => contenders.filter((contender) => contender.kind === kind)
  const chosen = (id, title, work) => (only.includes(id) ? step(`${id} ${title}`, work) : undefined)
  try {
    for (const workload of WORKLOADS) {
      await chosen(workload.id, workload.title, async () => {
        results.workloads.push(await runWorkload(workload, contenders, rounds, { ports }, notes))
      })
    }
    await chosen('W5', 'idle tunnels', async () => {
      results.memory = await runMemory(of('forward'), quick, { ports }, notes)
    })
    await chosen('W6', 'start', async () => {
      results.startup = await runStartup(of('forward'), starts)
    })
    await chosen('W8', 'busy host', async () => {
      results.busy = await runBusy(of('forward'), rounds, { ports }, notes)
    })
    await chosen('W9', 'a page of 300 modules, in Chromium', async () => {
      if (!missing.chromium) results.modules = await runModules(loads, { ports })
    })
    await chosen('W10', 'memory of a gateway', async () => {
      results.resident = await runResident(of('gateway'), { ports }, notes)
    })
    await chosen('W11', 'a body of 1 GiB through a reverse proxy', async () => {
      results.bodies = await runBodies(of('reverse'), rounds, { ports }, notes)
    })
  } finally {
    await origin.stop()
  }
  return results
}

function show(results) {
  for (const [title, rows] of tables(results)) console.log(`\n${title}\n${asText(rows)}`)
  if (results.goals.length > 0) console.log(`\nGoals\n${asText(goalRows(results.goals))}`)
  if (results.notes.length > 0) console.log(`\nNotes\n${results.notes.map((note) => `  ${note}`).join('\n')}`)
}

/** A part of a run must not pass for a whole one. */
async function write(measured, contenders, whole) {
  mkdirSync(home, { recursive: true })
  // What is kept is what is told: a figure is not rounded twice.
  const results = JSON.parse(JSON.stringify(measured, shorter))
  const json = whole ? RESULTS : path.join(home, 'results.json')
  const docs = whole ? inRoot('docs') : home
  writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(path.join(docs, 'BENCHMARKS.md'), document(results, contenders))
  draw(results, docs)
  if (whole) await quiet(bin('biome'), ['format', '--write', json])
  console.log(
    `\nWritten: ${path.relative(inRoot(), json)}, ${path.relative(inRoot(), docs)}/BENCHMARKS.md and benchmarks.svg`,
  )
}

function draw(results, docs) {
  writeFileSync(path.join(docs, 'benchmarks.svg'), plot(results))
  writePerformance(results, docs)
}

/** No figure is known to more than six digits. */
function shorter(_key, value) {
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value
}
