// docs/performance.md and the plots say what bench/results.json says: nobody has written into them by hand, and none is
// left from another run. `npm run bench -- --plots` writes them anew.
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { PICTURES, performancePage } from '../../bench/performance.mjs'
import { plot, plots } from '../../bench/plot.mjs'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { read } from './documents.ts'

const results = JSON.parse(read('bench/results.json'))

test('the page is of this run', () => {
  expect(read('docs/performance.md')).toBe(performancePage(results))
  expect(performancePage({ ...results, rounds: results.rounds + 1 })).not.toBe(performancePage(results))
})

test('the plots are of this run', () => {
  expect(read('docs/benchmarks.svg')).toBe(plot(results))
  const drawn = plots(results)
  expect(readdirSync(inRoot('docs', PICTURES)).sort()).toEqual(drawn.map(({ file }) => file).sort())
  for (const { file, svg } of drawn) expect.soft(read(`docs/${PICTURES}/${file}`), file).toBe(svg)
})

test('every goal that is missed stands in the page', () => {
  const missed = results.goals.filter(({ mustVerdict }: { mustVerdict?: string }) => mustVerdict === 'fail')
  const [, section = ''] = read('docs/performance.md').split('## What fails its goal')
  for (const { what } of missed) expect(section.split('Beyond these')[0]).toContain(what)
})
