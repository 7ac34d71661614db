// Every check, cheapest first. `npm test -- <filter>` runs only the tests whose name or file matches.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { generatedFiles } from './lib/build.mjs'
import { cache, trialPackages } from './lib/paths.mjs'
import { addResults, countCargo, countVitest, forgetResults, saveResults } from './lib/results.mjs'
import { bin, show } from './lib/run.mjs'
import { main, StepError, step } from './lib/step.mjs'
import { failMissing } from './lib/system.mjs'
import { setUp } from './setup.mjs'

const CI = process.env.CI === 'true'
/** Elsewhere, the packages around the checkout's own addon are tested: building for every platform takes minutes. */
const makesPackages = CI && process.platform === 'linux'
const report = path.join(cache, 'vitest.json')
const [filter] = process.argv.slice(2)

let results = { passed: 0, failed: 0, skipped: [] }

await main(async () => {
  forgetResults()
  const committed = generatedFiles()
  await setUp({ onMissing: CI ? failMissing : (message) => `INCOMPLETE, tests will be skipped\n${message}` })
  if (makesPackages) await step('npm packages for the tests', () => show('node', ['scripts/packages.mjs', 'trial']))
  try {
    if (!filter) await checks(committed)
    await step('cargo test', cargoTest)
    await step('vitest', vitest)
  } finally {
    saveResults(results)
    summarise()
  }
  if (results.passed === 0) throw new StepError('No test ran.')
})

async function checks(committed) {
  await step('generated files are fresh', () => checkFresh(committed))
  await step('types', () => show('npm', ['run', '--silent', 'typecheck']))
  await step('biome', () => show('npm', ['run', '--silent', 'lint:ts']))
  await step('cargo fmt and clippy', () => show('npm', ['run', '--silent', 'lint:rust']))
}

/** The set-up has built the addon, which writes these files anew. */
function checkFresh(committed) {
  if (generatedFiles() === committed) return
  throw new StepError('index.js or index.d.ts was stale. The build has written them anew: commit them.')
}

async function cargoTest() {
  let output = ''
  const args = ['test', '--workspace', '--locked', '--no-fail-fast', ...(filter ? [filter] : [])]
  await show('cargo', args, { onOutput: (text) => (output += text) }).finally(() => {
    results = addResults(results, countCargo(output))
  })
}

async function vitest() {
  mkdirSync(cache, { recursive: true })
  rmSync(report, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const args = ['run', ...reporters, ...(filter ? [filter, '--passWithNoTests'] : [])]
  const env = makesPackages ? { TABPORT_PACKAGES: path.join(trialPackages, 'tarballs') } : {}
  await show(bin('vitest'), args, { env }).finally(() => {
    if (existsSync(report)) results = addResults(results, countVitest(JSON.parse(readFileSync(report, 'utf8'))))
  })
}

function summarise() {
  console.log(`\n${results.passed} passed, ${results.failed} failed, ${results.skipped.length} skipped`)
  for (const name of results.skipped) console.log(`  skipped: ${name}`)
}
