// What is asked of tabport in each workload: what it must reach, and what it aims at. Every figure is compared with
// another contender's of the same run, or with a plain number where the proxy's own cost is meant. Beside it stands
// what the bare relay, which only moves bytes, comes to by the same measure.
import { median, paired, spread } from './statistics.mjs'
import { PAGES } from './workloads.mjs'

/** A machine that does nothing else still repeats a ratio only this well. */
const NOISE = 0.05

const OURS = 'tabport'
const GATEWAY = 'cmux-proxy'
const REVERSE = 'headroom-proxy'
const RELAY = 'bare-relay'
const HYPER = 'hyper-2x1'
const HYPER_MULTI = 'hyper-multi'

const faster = (key, than, must, aim) => ({
  key,
  what: `rate / ${than}'s`,
  must,
  aim,
  unit: 'x',
  measured: rateTo(key, than),
})
const atMost = (key, what, unit, must, aim, measured) => ({ key, what, unit, must, aim, atMost: true, measured })
const cheap = (key, unit, aim) => atMost(key, 'CPU of the proxy', unit, undefined, aim, cpu(key))

/** Goals of another door than the addon. */
const of = (ours, goals) => goals.map((goal) => ({ ...goal, ours }))

const GOALS = [
  faster('get64', HYPER, 1, 1.15),
  faster('get64', 'node-plain', 3),
  faster('get64', 'proxy-chain', 5),
  cheap('get64', 'µs', 13),
  atMost('get1', `added p50 / ${HYPER}'s`, 'x', 1.15, 1, addedTo(HYPER)),
  atMost('get1', 'added p50', 'µs', undefined, 30, (results, name) =>
    spread(figures(results, 'get1', name)?.added ?? []),
  ),
  faster('bodyDown', HYPER, 0.95, 1.1),
  cheap('bodyDown', 's/GiB', 0.35),
  faster('bodyUp', HYPER, 0.95, 1),
  cheap('bodyUp', 's/GiB', 0.35),
  faster('open', HYPER_MULTI, 1),
  faster('open', 'node-plain', 2.3),
  faster('open', RELAY, undefined, 0.95),
  ...['bulkDown', 'bulkUp'].flatMap((key) => [
    faster(key, 'squid', 1.15),
    faster(key, HYPER_MULTI, 1.8),
    faster(key, 'direct', undefined, key === 'bulkDown' ? 0.65 : 0.75),
    cheap(key, 's/GiB', 0.3),
  ]),
  faster('webSocket', HYPER_MULTI, 1),
  faster('webSocket', 'node-plain', 1.35),
  faster('webSocket', RELAY, undefined, 0.97),
  atMost('idle', 'memory of an idle tunnel', 'KiB', 4, 3, (results, name) =>
    only(results.memory?.[name]?.kibPerTunnel),
  ),
  // A few descriptors of the runtime's own are shared by thousands of tunnels.
  atMost('idle', 'descriptors of a tunnel', '', 2, undefined, (results, name) =>
    only(rounded(results.memory?.[name]?.descriptorsPerTunnel)),
  ),
  { key: 'idle', what: 'tunnels alive / asked for', unit: 'x', must: 1, measured: alive, exact: true },
  atMost('start', 'memory over bare Node', 'MiB', 4, 2, (results, name) => grown(results.startup?.[name])),
  atMost('start', 'start call', 'ms', 5, 1, (results, name) => results.startup?.[name]?.startMs),
  atMost('start', 'require', 'ms', 20, 10, (results, name) => results.startup?.[name]?.requireMs),
  faster('h2', HYPER_MULTI, 1, 1.1),
  atMost('busy', 'p99 / with an idle thread', 'x', 2, 1.2, (results, name) => results.busy?.[name]?.blocked),
  atMost('modules', 'time, secure / plain listener, origin 0 ms away', 'x', 1.1, undefined, secureToPlain(0)),
  atMost('modules', 'time, secure / plain listener, origin 20 ms away', 'x', 0.4, undefined, secureToPlain(20)),
  {
    key: 'streams',
    what: 'open, and a fetch answered',
    unit: '',
    must: PAGES.streams,
    measured: streamsBesideFetch,
    exact: true,
  },
  ...of(GATEWAY, [
    faster('gateway', 'haproxy', 0.9),
    faster('gateway', 'nginx'),
    cheap('gateway', 'µs'),
    atMost('resident', 'memory when idle (RSS)', 'MiB', 10, undefined, mebibytes('idle', 'rss')),
    atMost('resident', 'its own alone', 'MiB', undefined, undefined, mebibytes('idle', 'own')),
    atMost('resident', 'memory after the load (RSS)', 'MiB', undefined, undefined, mebibytes('after', 'rss')),
  ]),
  ...of(REVERSE, [
    faster('reverse', 'haproxy', 0.9),
    faster('reverse', 'axum-reqwest'),
    cheap('reverse', 'µs'),
    atMost('events', 'added p50', 'ms', 1, undefined, addedMilliseconds),
    atMost('bodies', 'memory grows by', 'MiB', 16, undefined, (results, name) =>
      only(results.bodies?.[name]?.grownKiB / 1024),
    ),
    ...['down', 'up'].map((direction) =>
      atMost('bodies', `CPU of the proxy, ${direction}`, 's/GiB', undefined, undefined, (results, name) =>
        only(results.bodies?.[name]?.[direction].cpu),
      ),
    ),
  ]),
]

const TITLES = {
  idle: 'Idle tunnels',
  start: 'Start',
  busy: "Host's thread blocked 20 of 40 ms",
  modules: '300 modules in Chromium',
  resident: 'Gateway: memory',
  bodies: 'Reverse proxy: a body of 1 GiB',
  streams: `${PAGES.streams} event streams in Chromium, secure listener`,
}

/** Every goal whose figure was measured, with the figure and a word for each bound. */
export function judge(results) {
  return GOALS.flatMap((goal) => {
    const measured = goal.measured(results, goal.ours ?? OURS)
    if (measured === undefined) return []
    const { key, what, unit, must, aim } = goal
    const title = results.workloads.find((workload) => workload.key === key)?.title ?? TITLES[key]
    const relay = goal.measured(results, RELAY)?.median
    const atMost = goal.atMost ?? false
    return [{ key, title, what, unit, must, aim, measured, relay, atMost, ...verdicts(goal, measured) }]
  })
}

function verdicts(goal, { median: figure }) {
  const verdict = (bound) => {
    if (bound === undefined) return undefined
    const reached = goal.atMost ? bound / Math.max(figure, 0) : figure / bound
    if (reached >= 1) return 'pass'
    return reached >= 1 - NOISE && !goal.exact ? 'pass within 5 %' : 'fail'
  }
  return { mustVerdict: verdict(goal.must), aimVerdict: verdict(goal.aim) }
}

function figures(results, key, name) {
  return results.workloads.find((workload) => workload.key === key)?.contenders[name]
}

function rateTo(key, than) {
  return (results, name) => spread(paired(figures(results, key, name)?.rates, figures(results, key, than)?.rates))
}

/** Of medians: a difference of two latencies is too small a number to be divided by in every round. */
function addedTo(than) {
  return (results, name) => {
    const [own, theirs] = [name, than].map((one) => median(figures(results, 'get1', one)?.added ?? []))
    return only(own === undefined || theirs === undefined ? undefined : own / theirs)
  }
}

function cpu(key) {
  return (results, name) => only(figures(results, key, name)?.cpu)
}

function addedMilliseconds(results, name) {
  return spread(figures(results, 'events', name)?.added?.map((added) => added / 1000) ?? [])
}

function mebibytes(when, what) {
  return (results, name) => only(results.resident?.[name]?.[when][what] / 1024)
}

function alive({ memory }, name) {
  const { alive: living, asked } = memory?.[name] ?? {}
  return only(asked && living / asked)
}

function grown({ grownKiB: kib } = {}) {
  return kib && { median: kib.median / 1024, min: kib.min / 1024, max: kib.max / 1024 }
}

/** Of the same proxy's two listeners. */
function secureToPlain(delay) {
  return ({ modules }, name) => {
    if (name !== OURS || !modules) return undefined
    const [secure, plain] = [PAGES.secure, PAGES.plain].map(
      (way) => modules.ways[way].cells[modules.delays.indexOf(delay)].times,
    )
    return spread(paired(secure, plain))
  }
}

/** None counts, if a fetch beside them is not answered. */
function streamsBesideFetch({ modules }, name) {
  const { open, answered } = (name === OURS && modules?.ways[PAGES.secure].streams) || {}
  return only(answered === false ? 0 : open)
}

const only = (figure) => (Number.isFinite(figure) ? { median: figure } : undefined)
const rounded = (figure) => figure && Math.round(figure * 10) / 10
