// What the load does in each workload, and what counts as its speed and its cost.
import { WORKSPACES } from './gateways.mjs'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const BODY = String(10 * MIB)

const perOp = { unit: '/s', amount: (sample) => sample.ops, cost: 'µs', costOf: 1e6 }
const perByte = (amount) => ({ unit: 'B/s', amount, cost: 's/GiB', costOf: GIB })
const down = perByte((sample) => sample.down)
const up = perByte((sample) => sample.up)

/**
 * Measured in rounds, each beside the others. An `id` is one of `--only`, `kind` says whose business it is, where that is
 * not forward proxies', and `shown` what the plot shows, where that is not the rate.
 */
export const WORKLOADS = [
  { id: 'W1', key: 'get64', title: 'GET 1 KiB, 64 connections', load: get(64, 1024), ...perOp },
  { id: 'W1', key: 'get1', title: 'GET 1 KiB, 1 connection', load: get(1, 1024), ...perOp },
  { id: 'W2', key: 'bodyDown', title: '10 MiB bodies down', load: get(1, BODY), ...down },
  { id: 'W2', key: 'bodyUp', title: '10 MiB bodies up', load: ['http', '--connections', '1', '--up', BODY], ...up },
  { id: 'W3', key: 'open', title: 'Tunnels opened, 16 at a time', load: ['open', '--connections', '16'], ...perOp },
  { id: 'W3', key: 'bulkDown', title: 'Bulk in a tunnel, down', load: ['bulk-down', '--connections', '1'], ...down },
  // The origin acknowledges what it receives: that is what comes down.
  { id: 'W3', key: 'bulkUp', title: 'Bulk in a tunnel, up', load: ['bulk-up', '--connections', '1'], ...down },
  {
    id: 'W4',
    key: 'webSocket',
    title: 'WebSocket echo, 32 connections',
    load: ['websocket', '--connections', '32'],
    ...perOp,
  },
  {
    id: 'W7',
    key: 'h2',
    title: 'HTTP/2, 8 connections of 32 streams',
    load: ['h2', '--connections', '8', '--streams', '32', '--down', '1024'],
    // The origin speaks HTTP/1.1 only.
    withoutDirect: true,
    ...perOp,
  },
  {
    id: 'W10',
    key: 'gateway',
    kind: 'gateway',
    title: 'Gateway: GET 1 KiB, 64 connections, two workspaces in turn',
    load: [...get(64, 1024), '--workspaces', Object.keys(WORKSPACES).join(',')],
    ...perOp,
  },
  {
    id: 'W11',
    key: 'reverse',
    kind: 'reverse',
    title: 'Reverse proxy: GET 1 KiB, 64 connections',
    load: get(64, 1024),
    ...perOp,
  },
  {
    id: 'W11',
    key: 'events',
    kind: 'reverse',
    title: 'Reverse proxy: first event of a stream, 8 connections',
    load: ['events', '--connections', '8', '--open-ms', '20'],
    shown: 'added',
    ...perOp,
  },
]

/** The load beside a host whose main thread is busy. */
export const BUSY_LOAD = get(8, 1024)

/**
 * What Chromium does, straight and through a proxy by its `plain` listener and by its `secure` one. `delays` is how late
 * the origin answers, in milliseconds.
 */
export const PAGES = { modules: 300, delays: [0, 20], streams: 20, plain: 'tabport', secure: 'tabport secure' }

function get(connections, bytes) {
  return ['http', '--connections', String(connections), '--down', String(bytes)]
}
