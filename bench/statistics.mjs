// Medians and ranges over rounds. A round without a figure is left out.

export function median(values) {
  const sorted = known(values).sort((a, b) => a - b)
  if (sorted.length === 0) return undefined
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** The median with the smallest and the largest, or undefined. */
export function spread(values) {
  const there = known(values)
  if (there.length === 0) return undefined
  return { median: median(there), min: Math.min(...there), max: Math.max(...there) }
}

/** What `combine` makes of two series, round by round. */
export function paired(a = [], b = [], combine = (x, y) => x / y) {
  return a.map((value, round) => (isKnown(value) && isKnown(b[round]) ? combine(value, b[round]) : undefined))
}

export const sum = (values) => values.reduce((total, value) => total + value, 0)

const isKnown = (value) => Number.isFinite(value)
const known = (values) => values.filter(isKnown)
