// docs/performance.md: what a run came to, for a reader who decides whether this is fast enough. Goals that are missed
// stand first.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { OURS, plots } from './plot.mjs'
import { asMarkdown, goalRows } from './report.mjs'

/** Beside the page, as it links them. */
export const PICTURES = 'pictures/bench'

/** Writes the page and its plots into `docs`. */
export function writePerformance(results, docs) {
  const folder = path.join(docs, PICTURES)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const { file, svg } of plots(results)) writeFileSync(path.join(folder, file), svg)
  writeFileSync(path.join(docs, 'performance.md'), performancePage(results))
}

export function performancePage(results) {
  const { date, rounds, machine, goals } = results
  const musts = goals.filter(({ mustVerdict }) => mustVerdict)
  const passed = musts.filter(({ mustVerdict }) => mustVerdict === 'pass')
  const near = musts.filter(({ mustVerdict }) => mustVerdict.startsWith('pass within'))
  const missed = musts.filter(({ mustVerdict }) => mustVerdict === 'fail')
  const { cores, cpu, virtual, kernel } = machine
  return `<!-- Written by \`npm run bench\`, from bench/results.json. -->
# Performance

\`npm run bench\` measures tabport beside other proxies, on one machine and over loopback, and writes this page. A ratio to *direct* says how much
is left of what client and origin do without a proxy, while all three share the machine's cores: it is no speed that a
network would show. [Benchmarks](BENCHMARKS.md) has the method, the contenders and every figure.

This run: ${date.slice(0, 10)}, ${rounds} rounds, ${cores} × ${cpu}${virtual ? ' (a virtual machine)' : ''}, ${kernel}.

## What fails its goal

Of ${musts.length} goals that must be met, ${passed.length} are, ${near.length} are missed by no more than the 5 % that two runs differ by, and ${missed.length} fail${table(brief(missed, 'must'))}

Beyond these there are ${aims(goals).length} aims, of which ${missedAims(goals).length} fail in this run${table(brief(missedAims(goals), 'aim'))}

## By workload

A bar is the median over the rounds, its whisker the smallest and the largest round.
${plots(results)
  .map((each) => section(each, goals))
  .join('')}`
}

const aims = (goals) => goals.filter(({ aimVerdict }) => aimVerdict)
const missedAims = (goals) => goals.filter(({ aimVerdict }) => aimVerdict === 'fail')

/** A table to end a sentence with, or the sentence's end where it has no row. */
const table = (rows) => (rows.length > 1 ? `:\n\n${asMarkdown(rows)}` : '.')

const FIGURES = { must: 2, aim: 3 }

/** Goals with one bound, and without verdicts. */
function brief(goals, bound) {
  return goalRows(goals).map((row) => [row[0], row[1], row[FIGURES[bound]], row[4], row[5]])
}

function section({ title, note, file, key, bars }, goals) {
  const own = bars.find(({ name }) => OURS.test(name))
  const met = goals.filter((goal) => goal.key === key && goal.mustVerdict)
  const rows = goalRows(met).map((row) => [row[1], row[2], row[4], row[5], row[7]])
  const figure = own ? ` ${own.name}: ${Number(own.median.toPrecision(2))}.` : ''
  const alt = `${title}: ${note}.${figure}`
  return `
### ${title}

![${alt}](${PICTURES}/${file})${met.length > 0 && !file.includes('-') ? `\n\n${asMarkdown(rows)}` : ''}
`
}
