// What a run came to: a table of goals, and one of all contenders, as text for the terminal and as Markdown.
import { PAGES } from './workloads.mjs'

/** The goals as rows of text, the header first. */
export function goalRows(goals) {
  const header = ['workload', 'measured', 'must', 'aim', 'figure', 'range', 'bare-relay', 'must?', 'aim?']
  return [header, ...goals.map(goalRow)]
}

function goalRow({ title, what, unit, must, aim, measured, relay, atMost, mustVerdict = '', aimVerdict = '' }) {
  const bound = (value) => (value === undefined ? '' : `${atMost ? '≤ ' : '≥ '}${withUnit(value, unit)}`)
  const { median, min, max } = measured
  const range = min === undefined ? '' : `${figure(min)}–${figure(max)}`
  const beside = relay === undefined ? '' : withUnit(relay, unit)
  return [title, what, bound(must), bound(aim), withUnit(median, unit), range, beside, mustVerdict, aimVerdict]
}

/** One workload as rows: each contender's rate, its ratio to direct, its latency and its cost. */
export function contenderRows({ contenders, unit, costUnit }) {
  const header = ['contender', `rate, ${unit}`, 'to direct', 'range', 'p50 µs', 'p99 µs', `CPU, ${costUnit}`]
  const rows = Object.entries(contenders).map(([name, { rate, toDirect, p50, p99, cpu }]) => [
    name,
    large(rate?.median),
    name === 'direct' ? '1' : figure(toDirect?.median),
    toDirect && name !== 'direct' ? `${figure(toDirect.min)}–${figure(toDirect.max)}` : '',
    figure(p50?.median),
    figure(p99?.median),
    figure(cpu),
  ])
  return [header, ...rows]
}

export function memoryRows(memory) {
  const header = ['contender', 'tunnels', 'alive', 'KiB each', 'descriptors each']
  const rows = Object.entries(memory).map(([name, one]) => [
    name,
    `${one.open} of ${one.asked}`,
    String(one.alive),
    figure(one.kibPerTunnel),
    figure(one.descriptorsPerTunnel),
  ])
  return [header, ...rows]
}

export function startupRows(startup) {
  const header = ['contender', 'require, ms', 'range', 'start, ms', 'range', 'memory over bare Node, MiB']
  const range = ({ min, max }) => `${figure(min)}–${figure(max)}`
  const rows = Object.entries(startup).map(([name, { requireMs, startMs, grownKiB }]) => [
    name,
    figure(requireMs.median),
    range(requireMs),
    figure(startMs.median),
    range(startMs),
    figure(grownKiB.median / 1024),
  ])
  return [header, ...rows]
}

export function busyRows(busy) {
  const header = ['contender', 'p99 idle, µs', 'p99 blocked, µs', 'ratio', 'p99 computing, µs', 'ratio']
  const rows = Object.entries(busy).map(([name, { p99, blocked, computing }]) => [
    name,
    figure(p99.idle),
    figure(p99.blocked),
    figure(blocked?.median),
    figure(p99.computing),
    figure(computing?.median),
  ])
  return [header, ...rows]
}

export function moduleRows({ delays, ways }) {
  const cells = delays.flatMap((delay) => [`origin ${delay} ms away, ms`, 'range', 'to direct'])
  const header = ['way', ...cells, `of ${PAGES.streams} event streams open`, 'a fetch beside them']
  const cell = (name, { time, toDirect }) => [
    figure(time.median),
    `${figure(time.min)}–${figure(time.max)}`,
    name === 'direct' ? '1' : figure(toDirect.median),
  ]
  const rows = Object.entries(ways).map(([name, { cells, streams }]) => [
    name,
    ...cells.flatMap((each) => cell(name, each)),
    String(streams.open),
    streams.answered ? 'answered' : 'blocked',
  ])
  return [header, ...rows]
}

export function residentRows(resident) {
  const header = ['contender', ...['idle', 'after the load'].flatMap((when) => [`${when}, RSS MiB`, 'PSS', 'its own'])]
  const cells = ({ rss, pss, own }) => [rss, pss, own].map((kib) => figure(kib / 1024))
  const rows = Object.entries(resident).map(([name, { idle, after }]) => [name, ...cells(idle), ...cells(after)])
  return [header, ...rows]
}

export function bodyRows(bodies) {
  const header = [
    'contender',
    ...['down', 'up'].flatMap((way) => [`${way}, B/s`, 'CPU, s/GiB']),
    'memory grows by, MiB',
  ]
  const cells = ({ rate, cpu }) => [large(rate?.median), figure(cpu)]
  const rows = Object.entries(bodies).map(([name, { down, up, grownKiB }]) => [
    name,
    ...cells(down),
    ...cells(up),
    figure(grownKiB / 1024),
  ])
  return [header, ...rows]
}

/** Every table of a run, with its title. */
export function tables(results) {
  const rounds = results.workloads.map((workload) => [`${workload.id} ${workload.title}`, contenderRows(workload)])
  const { memory, startup, busy, modules, resident, bodies } = results
  return [
    ...rounds,
    ...(memory ? [['W5 Idle tunnels', memoryRows(memory)]] : []),
    ...(startup ? [['W6 Start, in a fresh Node process', startupRows(startup)]] : []),
    ...(busy ? [['W8 The host’s main thread away for 20 ms of every 40', busyRows(busy)]] : []),
    ...(modules ? [['W9 A page of 300 modules, in Chromium', moduleRows(modules)]] : []),
    ...(resident ? [['W10 Gateway: memory', residentRows(resident)]] : []),
    ...(bodies ? [['W11 Reverse proxy: a body of 1 GiB', bodyRows(bodies)]] : []),
  ]
}

/** Columns that line up: the first to the left, the others too, since most hold words and figures alike. */
export function asText(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const line = (row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd()
  return rows.map(line).join('\n')
}

export function asMarkdown([header, ...rows]) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(header), `|${header.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

const withUnit = (value, unit) => figure(value) + (unit === 'x' ? 'x' : unit && ` ${unit}`)

/** Three digits are more than any of these can be repeated to. */
export function figure(value) {
  if (!Number.isFinite(value)) return ''
  if (Math.abs(value) >= 100) return String(Math.round(value))
  return String(Number(value.toPrecision(3)))
}

function large(value) {
  if (!Number.isFinite(value)) return ''
  const [divisor, suffix] =
    value >= 1e9 ? [1e9, ' G'] : value >= 1e6 ? [1e6, ' M'] : value >= 1e3 ? [1e3, ' k'] : [1, '']
  return figure(value / divisor) + suffix
}
