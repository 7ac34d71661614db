// What the tests of the last run came to: written by scripts/test.mjs, printed here as one line.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { cache } from './paths.mjs'

const file = path.join(cache, 'test-results.json')
const NONE = { passed: 0, failed: 0, skipped: [] }

export const forgetResults = () => rmSync(file, { force: true })

export function saveResults(results) {
  mkdirSync(cache, { recursive: true })
  writeFileSync(file, JSON.stringify(results))
}

/** Adds up the `test result:` lines of a `cargo test` run. */
export function countCargo(output) {
  const results = { passed: 0, failed: 0, skipped: [] }
  for (const [, passed, failed] of output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed;/gm)) {
    results.passed += Number(passed)
    results.failed += Number(failed)
  }
  for (const [, name] of output.matchAll(/^test (\S+) \.\.\. ignored/gm)) results.skipped.push(name)
  return results
}

/** Reads a JSON report of vitest. A file that could not be loaded counts as one failure. */
export function countVitest(report) {
  const tests = report.testResults.flatMap((result) => result.assertionResults)
  const broken = report.testResults.filter((result) => result.status === 'failed' && !result.assertionResults.length)
  const named = (statuses) => tests.filter((test) => statuses.includes(test.status))
  return {
    passed: named(['passed']).length,
    failed: named(['failed']).length + broken.length,
    skipped: named(['skipped', 'pending', 'todo', 'disabled']).map((test) => test.fullName.trim()),
  }
}

export function addResults(...all) {
  return all.reduce((sum, one) => ({
    passed: sum.passed + one.passed,
    failed: sum.failed + one.failed,
    skipped: [...sum.skipped, ...one.skipped],
  }))
}

function load() {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return NONE
  }
}

if (import.meta.url === pathToFileURL(path.resolve(process.argv[1])).href) {
  const { passed, failed } = load()
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}
