// The row about the rows: each that concerns the forward proxy, its Electron wiring or the workspace gateway has a test
// that begins with its number and its name, so that `npx vitest run -t 'row 36,'` runs what proves it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROWS: [number, name: string][] = [
  [1, 'HTTP/1.1 and h2c on one port'],
  [2, 'per-WebContents Basic auth'],
  [3, 'localhost -> https cmux host rewrite'],
  [4, 'header mode upstream (cmux-proxy origin)'],
  [5, 'upstream TLS with real roots + extra CA option'],
  [6, 'CONNECT follows route'],
  [7, 'ws:// inside CONNECT (plain)'],
  [8, 'real 101 relay'],
  [9, 'non-101 upgrade answer relayed'],
  [10, 'TLS inside CONNECT (MITM) for loopback'],
  [11, 'wss inside MITM'],
  [12, 'auth bound to tunnel, not to header'],
  [13, 'release revokes live tunnels'],
  [14, 'stop() closes everything, frees port'],
  [15, 'post-stop API safety'],
  [16, 'loopback classifier'],
  [17, 'IPv6 CONNECT / authority'],
  [18, 'multiple Set-Cookie preserved'],
  [19, 'hop-by-hop incl. Connection-nominated'],
  [20, 'X-Cmux-* spoof protection'],
  [21, 'upstream h2 with h1 fallback'],
  [22, 'WS upstream forced http/1.1 ALPN'],
  [23, '502 on dial failure, every path'],
  [24, 'timeouts: connect, header, classify, handshake, idle'],
  [25, 'workspace name -> 127.18.x.x'],
  [26, 'workspace collision policy'],
  [27, 'workspace header routing'],
  [28, '`<ws>-<port>.localhost` routing'],
  [29, 'host override / preserve'],
  [30, 'ws-bin CONNECT dials before 200'],
  [31, 'bind dedupe + fail if none bound'],
  [32, 'auto port: only AddrInUse retries'],
  [33, 'loopback-only bind for addon'],
  [34, 'streaming both ways, backpressure'],
  [35, 'client abort cancels upstream'],
  [36, 'half-close, leftover bytes'],
  [37, 'trailers, gRPC'],
  [38, 'Expect: 100-continue, 1xx, HEAD/204/304'],
  [39, 'absolute-form ws/wss/http/https and origin-form'],
  [40, 'default ports / scheme kept inside MITM h1'],
  [41, 'stale credentials -> 407 again'],
  [42, 'one context per webContentsId, replace semantics'],
  [43, 'constant-time secret compare, CSPRNG'],
  [44, 'login handler checks host, port, realm'],
  [45, 'session refcount before direct mode'],
  [46, 'fail-closed when proxy unavailable'],
  [47, 'cert trust by key, loopback + partition only'],
  [48, 'CA storage, name constraints, rotation'],
  [49, 'leaf SAN DNS/IP, EKU serverAuth, chain, cache cap'],
  [50, 'in-process TLS (no ephemeral port)'],
  [51, 'RFC 8441 extended CONNECT'],
  [52, 'h2 CONNECT'],
  [53, 'loop detection'],
  [54, 'loopback bypass list per context'],
  [55, 'route parser shared, dash-safe'],
  [56, 'configurable domain suffixes'],
  [57, 'route field validation'],
  [58, 'body-less error format'],
  [59, 'logging toggle, redaction'],
  [60, 'metrics/snapshot (active conns, tunnels, bytes)'],
  [61, 'TCP_NODELAY, keep-alive, pool caps'],
  [62, 'accept backoff, max connections'],
  [63, 'no panic across NAPI'],
  [64, 'graceful shutdown SIGINT+SIGTERM with drain'],
  [65, 'health endpoint'],
  [70, 'tests through real sockets + Electron smoke'],
]

/** What is not done yet: the edge's features, packages. */
const NOT_YET = [66, 67, 68, 69]

const here = new URL('./', import.meta.url)
const root = new URL('../../', import.meta.url)

/** The names of all tests beside this one, as far as they stand in the source. */
const names = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .flatMap((file) => readFileSync(new URL(file, here), 'utf8').match(/'(row \d+,|complaint) [^']*'/g) ?? [])
  .map((quoted) => quoted.slice(1, -1))

test('row 70, tests through real sockets + Electron smoke: each row has a named test', () => {
  const untested = ROWS.filter(([number, name]) => !names.some((test) => test.startsWith(`row ${number}, ${name}: `)))
  expect(untested).toEqual([])
  const numbers = [...ROWS.map(([number]) => number), ...NOT_YET].sort((a, b) => a - b)
  expect(numbers).toEqual(Array.from({ length: 70 }, (_, index) => index + 1))
  const known = new Set(ROWS.map(([number]) => `row ${number}`))
  expect(names.filter((test) => !test.startsWith('complaint ') && !known.has(test.split(',')[0] ?? ''))).toEqual([])
})

test('row 70, tests through real sockets + Electron smoke: benchmark numbers come from a script', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  const [, script] = /^node (\S+)$/.exec(scripts.bench) ?? expect.unreachable()
  expect(existsSync(fileURLToPath(new URL(script!, root))), script).toBe(true)
})
