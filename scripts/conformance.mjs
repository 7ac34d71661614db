// The WebSocket suite Autobahn, through every way that the proxy has for a WebSocket. `npm run conformance -- <case>…`
// runs other cases than those that run by default, such as `12.*`.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { conformanceCache, providePython } from '../tests/conformance/python.mjs'
import { forgetReports, installSuite, runSuite } from '../tests/conformance/suite.mjs'
import { judge, summary } from '../tests/conformance/verdict.mjs'
import { buildAddon } from './lib/build.mjs'
import { installPackages } from './lib/packages.mjs'
import { main, StepError, step } from './lib/step.mjs'
import { checkToolchain } from './lib/toolchain.mjs'

const cases = process.argv.slice(2)
const report = path.join(conformanceCache, 'report.json')

await main(async () => {
  await step('toolchain', () => checkToolchain())
  await step('npm packages', installPackages)
  await step('native addon', buildAddon)
  await step('Python 2.7', providePython)
  await step('Autobahn', installSuite)
  // Only now is there an addon to load.
  const { openPaths } = await import('../tests/conformance/paths.mjs')
  const opened = await openPaths()
  const verdicts = await runAll(opened).finally(opened.close)
  writeFileSync(report, `${JSON.stringify(verdicts, undefined, 2)}\n`)
  console.log(`\nreport in ${report}`)
  const failed = verdicts.flatMap(({ name, failed }) => failed.map((it) => `  ${name}, ${it.case}: ${it.wrong}`))
  if (failed.length > 0) throw new StepError(`${failed.length} cases failed:\n${failed.join('\n')}`)
})

/** One path after the other, the direct one first: a case that runs out of time is to mean something. */
async function runAll({ paths, tunnels }) {
  forgetReports()
  const verdicts = []
  let direct
  for (const { name, open } of paths) {
    await step(name, async () => {
      const before = tunnels()
      const found = await runSuite(name, await open(), cases)
      const verdict = judge(name, found, direct && { found: direct, tunnels: tunnels() - before })
      direct ??= found
      verdicts.push(verdict)
      return summary(verdict)
    })
  }
  return verdicts
}
