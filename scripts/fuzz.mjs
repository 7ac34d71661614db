// Fuzzes the engine's decisions: `npm run fuzz -- [--seconds N] [target]…`, 60 seconds for each target by default.
// What the fuzzer learns stays in the cache, for the next run; an input that breaks a rule stays in fuzz/artifacts.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { cache, inRoot, root } from './lib/paths.mjs'
import { ask, quiet, show } from './lib/run.mjs'
import { main, StepError, step } from './lib/step.mjs'
import { checkToolchain } from './lib/toolchain.mjs'

const CARGO_FUZZ = '0.13.2'
/** No input may keep a target busy for longer. */
const SLOWEST_SECONDS = 10

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '60' } },
  allowPositionals: true,
})
const installed = path.join(cache, 'fuzz')
const cargoFuzz = path.join(installed, 'bin', 'cargo-fuzz')
// The toolchain of this repository is a stable one, which has no sanitizers; safe Rust has little for them to find.
const build = ['--sanitizer', 'none', '--target-dir', path.join(installed, 'target')]

await main(async () => {
  const targets = chosen()
  await step('toolchain', toolchain)
  await step('cargo-fuzz', install)
  await step('build', () => show(cargoFuzz, ['build', ...build]))
  const broken = []
  for (const target of targets) {
    await step(target, () => fuzz(target)).catch((error) => {
      if (!(error instanceof StepError)) throw error
      broken.push(error.message)
    })
  }
  if (broken.length > 0) throw new StepError(broken.join('\n\n'))
})

function chosen() {
  if (!/^[1-9]\d*$/.test(values.seconds)) throw new StepError('--seconds takes a whole number from 1.')
  const targets = readdirSync(inRoot('fuzz', 'fuzz_targets')).map((file) => path.basename(file, '.rs'))
  const unknown = positionals.find((name) => !targets.includes(name))
  if (unknown) throw new StepError(`There is no target ${unknown}; there are ${targets.join(', ')}.`)
  return positionals.length > 0 ? positionals : targets
}

function toolchain() {
  const found = checkToolchain()
  if (ask('c++', ['--version'])) return found
  throw new StepError('libFuzzer needs a C++ compiler: `c++` was not found. In Debian: `apt-get install g++`.')
}

async function install() {
  if (existsSync(cargoFuzz) && ask(cargoFuzz, ['--version'])?.endsWith(` ${CARGO_FUZZ}`)) return CARGO_FUZZ
  await quiet('cargo', ['install', '-q', '--locked', '--force', '--root', installed, `cargo-fuzz@${CARGO_FUZZ}`])
  return `${CARGO_FUZZ}, installed`
}

/** Returns how many inputs were tried; throws with what broke and on which input. */
async function fuzz(target) {
  const learnt = path.join(installed, 'corpus', target)
  mkdirSync(learnt, { recursive: true })
  const corpora = [learnt, inRoot('fuzz', 'corpus', target)]
  const limits = [`-max_total_time=${values.seconds}`, `-timeout=${SLOWEST_SECONDS}`]
  const options = [...limits, `-dict=${inRoot('fuzz', 'words.dict')}`, '-print_final_stats=1']
  const { status, printed } = await run(cargoFuzz, ['run', ...build, target, ...corpora, '--', ...options])
  if (status !== 0) throw new StepError(`${target}: ${whatBroke(printed)}`)
  return `${/number_of_executed_units: (\d+)/.exec(printed)[1]} inputs`
}

/** The fuzzer prints a line for all that it learns: only what it has found is of interest. */
function run(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
  let printed = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    printed += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (status) => resolve({ status, printed }))
  })
}

function whatBroke(printed) {
  const input = /Test unit written to (\S+)/.exec(printed)?.[1]
  if (!input) return printed.split('\n').slice(-40).join('\n')
  const why = /panicked at .*(?:\n.+?)*?(?=\nstack backtrace|\nnote:|\n\n)/.exec(printed)?.[0] ?? 'it took too long'
  const again = path.relative(root, input)
  return `${why}\n  input: ${again}\n  again: ${path.relative(root, cargoFuzz)} run --sanitizer none ${path.basename(path.dirname(input))} ${again}`
}
