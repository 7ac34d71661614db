// The plot: one panel for each workload, one bar for each contender, its whisker from the smallest round to the
// largest. Plain SVG, with colours for a light and a dark page.
import { spread } from './statistics.mjs'

const WIDTH = 880
const COLUMNS = 2
const GAP = 32
const PANEL = (WIDTH - GAP * (COLUMNS + 1)) / COLUMNS
const LABEL = 92
const FIGURE = 48
const ROW = 20
const BAR = 12
const TITLE = 44
export const OURS = /^(tabport|cmux-proxy|headroom-proxy)/

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 13px }
  .note { fill: #57606a; font-size: 11px }
  .bar { fill: #848d97 }
  .ours { fill: #0969da }
  .whisker { stroke: #1f2328; stroke-width: 1.5 }
  .axis { stroke: #d0d7de }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note { fill: #9198a1 }
    .bar { fill: #6e7681 }
    .ours { fill: #4493f8 }
    .whisker { stroke: #ffffff }
    .axis { stroke: #3d444d }
  }`

/** The whole picture of a run's results. */
export function plot(results) {
  const panels = panelsOf(results)
  const rows = Array.from({ length: Math.ceil(panels.length / COLUMNS) }, (_, row) =>
    panels.slice(row * COLUMNS, (row + 1) * COLUMNS),
  )
  let top = GAP / 2
  const drawn = rows.flatMap((row) => {
    const at = top
    top += Math.max(...row.map(height)) + GAP
    return row.map((panel, column) => draw(panel, GAP + column * (PANEL + GAP), at))
  })
  return picture('tabport and other proxies, by workload', WIDTH, top, drawn)
}

/** A picture for each panel, by the key of what it shows and a number where there are several. */
export function plots(results) {
  return panelsOf(results).map((panel, index, all) => {
    const before = all.slice(0, index).filter(({ key }) => key === panel.key).length
    const drawn = [draw(panel, 0, GAP / 4)]
    const svg = picture(`${panel.title}: ${panel.note}`, PANEL, height(panel) + GAP / 4, drawn)
    return { ...panel, file: `${panel.key}${before ? `-${before + 1}` : ''}.svg`, svg }
  })
}

function panelsOf(results) {
  return [
    ...results.workloads.map(ratioPanel),
    ...memoryPanel(results),
    ...busyPanel(results),
    ...modulePanels(results),
    ...residentPanel(results),
    ...bodyPanels(results),
  ]
}

function picture(label, width, height, drawn) {
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${label}">\n<style>${STYLE}\n</style>\n${drawn.join('\n')}\n</svg>\n`
}

function ratioPanel({ key, title, contenders, shown }) {
  if (shown === 'added') return addedPanel(key, title, contenders)
  const hasDirect = contenders.direct !== undefined
  const bars = Object.entries(contenders)
    .filter(([name]) => name !== 'direct')
    .map(([name, one]) => ({ name, ...(hasDirect ? one.toDirect : thousands(one.rate)) }))
  const note = hasDirect ? 'ratio to direct, longer is better' : 'thousand requests a second, longer is better'
  return { key, title, note, bars: bars.sort((a, b) => b.median - a.median) }
}

function addedPanel(key, title, contenders) {
  const others = Object.entries(contenders).filter(([name]) => name !== 'direct')
  const bars = others.map(([name, { added }]) => ({ name, ...spread(added) }))
  return { key, title, note: 'µs added at the median, shorter is better', bars: ascending(bars) }
}

function memoryPanel({ memory }) {
  if (!memory) return []
  const bars = Object.entries(memory).map(([name, { kibPerTunnel }]) => ({ name, median: kibPerTunnel }))
  return [{ key: 'idle', title: 'Memory of an idle tunnel', note: 'KiB, shorter is better', bars: ascending(bars) }]
}

function busyPanel({ busy }) {
  if (!busy) return []
  const bars = Object.entries(busy).map(([name, { p99 }]) => ({ name, median: p99.blocked / 1000 }))
  return [
    { key: 'busy', title: 'p99 beside a blocked main thread', note: 'ms, shorter is better', bars: ascending(bars) },
  ]
}

function modulePanels({ modules }) {
  if (!modules) return []
  return modules.delays.map((delay, index) => {
    const bars = Object.entries(modules.ways).map(([name, { cells }]) => ({ name, ...cells[index].time }))
    const title = `300 modules in Chromium, origin ${delay} ms away`
    return { key: 'modules', title, note: 'ms, shorter is better', bars: ascending(bars) }
  })
}

function residentPanel({ resident }) {
  if (!resident) return []
  const bars = Object.entries(resident).map(([name, { idle }]) => ({ name, median: idle.pss / 1024 }))
  return [
    {
      key: 'resident',
      title: 'Memory of an idle gateway',
      note: 'MiB (PSS), shorter is better',
      bars: ascending(bars),
    },
  ]
}

function bodyPanels({ bodies }) {
  if (!bodies) return []
  const proxies = Object.entries(bodies).filter(([name]) => name !== 'direct')
  return ['down', 'up'].map((way) => {
    const bars = proxies.map(([name, one]) => ({ name, median: one[way].cpu }))
    const title = `Reverse proxy: 1 GiB ${way}`
    return { key: 'bodies', title, note: 'seconds of CPU, shorter is better', bars: ascending(bars) }
  })
}

const ascending = (bars) => bars.sort((a, b) => a.median - b.median)
const thousands = ({ median, min, max }) => ({ median: median / 1000, min: min / 1000, max: max / 1000 })
const height = ({ bars }) => TITLE + bars.length * ROW

function draw({ title, note, bars }, left, top) {
  const known = bars.filter(({ median }) => Number.isFinite(median))
  const longest = Math.max(...known.map(({ median, max = median }) => max))
  const scale = (value) => round((value / longest) * (PANEL - LABEL - FIGURE))
  const lines = known.map((bar, row) => drawBar(bar, TITLE + row * ROW, scale))
  const axis = `<line class="axis" x1="${LABEL}" x2="${LABEL}" y1="${TITLE - 4}" y2="${TITLE + known.length * ROW - 4}"/>`
  const head = `<text class="title" y="14">${title}</text><text class="note" y="30">${note}</text>`
  return `<g transform="translate(${round(left)} ${round(top)})">${head}${axis}\n${lines.join('\n')}\n</g>`
}

function drawBar({ name, median, min = median, max = median }, y, scale) {
  const middle = y + BAR / 2
  const whisker = `<line class="whisker" x1="${LABEL + scale(min)}" x2="${LABEL + scale(max)}" y1="${middle}" y2="${middle}"/>`
  return [
    `<text x="${LABEL - 6}" y="${middle + 4}" text-anchor="end">${name}</text>`,
    `<rect class="bar${OURS.test(name) ? ' ours' : ''}" x="${LABEL}" y="${y}" width="${scale(median)}" height="${BAR}"/>`,
    max > min ? whisker : '',
    `<text x="${LABEL + scale(max) + 6}" y="${middle + 4}">${Number(median.toPrecision(2))}</text>`,
  ].join('')
}

const round = (value) => Math.round(value * 10) / 10
