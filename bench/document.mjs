// docs/BENCHMARKS.md: a run, told to a reader who was not there.
import { asMarkdown, goalRows, tables } from './report.mjs'

const METHOD = `## How it is measured

- Client, proxy and origin are three processes, on loopback, and share the machine: a proxy that costs more also takes
  CPU from the two others. A ratio to \`direct\` says how much of that is left. It is no speed that a network would show.
- Every round measures \`direct\`, then every contender for 300 ms after 80 ms of warm-up, beginning with another one each
  time. A ratio is taken within its round; what is printed is the median over the rounds, with the smallest and largest.
- CPU is user and system time of the proxy's processes over all rounds, and none of the load's. The clock counts in 10 ms.
- All but mockttp (which has none) and the bare relay (which is a bound) check Basic credentials on every request.
- tabport runs as applications use it: the addon in a Node process, one context without a route, default options.
- The minimal hyper proxy is held against tabport on two current-thread runtimes for requests and bodies, on one runtime with
  two threads for tunnels, WebSockets and HTTP/2. Both forms are in every table.
- HTTP/2 has no \`direct\`: the origin speaks HTTP/1.1. WebSocket messages are 64 bytes, through CONNECT and a real upgrade.
- Each tunnel that is opened carries 64 bytes there and back, and is closed. Clients come from 200 loopback addresses, so that
  no system setting has to be raised.
- Memory is the proportional share (\`Pss\`) of the proxy's processes, measured once. Idle tunnels have echoed one byte; alive
  are those that echo another at the end.
- A start is timed in a fresh Node process. Its memory is what the process grew by, garbage collected, from before \`require\`
  until it listens. The addon has been read from disk for it, and not been built just before: how much the system maps
  around what is used depends on that.
- *Blocked* means that the host's main thread waits, without using the CPU, for 20 ms of every 40. *Computing* means that it
  also uses the CPU, which takes it from client and origin too.
- A page of 300 modules is loaded by one Chromium, each time in a browser context of its own, with nothing cached. Before
  the clock starts, an empty page has settled the credentials, as the Electron wiring does, and left one connection open, to the
  proxy or to the origin. Every round loads it once by each way and delay, beginning with another way each time; the time is the
  page's own, from the navigation to \`load\`. The proxy is \`tabport\` with a plain listener, or a secure one, which Chromium
  speaks HTTP/2 to; the origin is HTTP/1.1, and answers at once or 20 ms after it was asked. What
  drives the browser is told of the page's \`load\`, and of no request: reporting those takes a third of the time of a load
  that all requests are made at once for. Event streams are tried once each way.
- A gateway is asked for two workspaces in turn, request by request, by \`X-Cmux-Workspace-Internal\` and
  \`X-Cmux-Port-Internal\`, on every connection; their servers are the one origin, on 127.18.0.1 and 127.18.0.2. Every
  contender chooses by both fields, removes them, and keeps its upstream connections. Each has the workers or threads of its
  own default for the machine: one for each core (nginx: \`worker_processes auto\`). None writes a log of requests.
- Memory of a gateway is that of all its processes, just started and once the connections of the load are closed. RSS counts a
  page that two processes share twice, PSS in shares; *its own* is what no other process has.
- A stream of events sends its first at once and its last 20 ms later, on a connection that is kept. What is timed is from the
  request to the first event.
- A body of 1 GiB goes down and then up in each round. How much memory grows is the most that was resident at any moment of any
  round (\`VmHWM\`), less what was before the first.
- A ratio on a quiet machine repeats within about 5 %, on a busy one not at all: \`pass within 5 %\` marks what lies that near
  to its bound. Figures of two runs cannot be compared, ratios can.`

const KINDS = { forward: 'Forward proxies', gateway: 'Gateways', reverse: 'Reverse proxies' }

const RELAY = `The column \`bare-relay\` is what that contender comes to by the same measure in the same rounds. It only moves bytes: where
it does not reach a goal on new tunnels or small messages itself, no proxy in user space can be expected to on this machine. For
bulk it is no bound, since tabport moves larger pieces at a time.`

export function document(results, contenders) {
  const { machine, rounds, starts, loads, date, modules } = results
  const { cpu, cores, virtual, memoryGiB, kernel, node, rust, revision, versions } = machine
  const box = `${cores} × ${cpu}${virtual ? ' (a virtual machine)' : ''}, ${memoryGiB} GiB, ${kernel}`
  const browser = modules ? { Chromium: modules.chromium } : {}
  const used = Object.entries({ ...versions, ...browser }).map(([name, version]) => `${name} ${version}`)
  return `<!-- Written by \`npm run bench\`. -->
# Benchmarks

\`npm run bench\` (Linux; about ${results.minutes} minutes; the machine should do nothing else) builds what it needs, fetches the
peers into \`.cache/bench\`, measures, and writes this page, its plot and \`bench/results.json\`. \`npm run bench -- --quick --only
W1,W3\` shows in a minute that it works.

This run: ${date.slice(0, 10)}, ${revision ? `revision ${revision}, ` : ''}${rounds} rounds, ${starts} starts, ${loads} page loads. Machine: ${box}. Node ${node}, Rust ${rust},
${used.join(', ')}.

![Ratio to direct, by workload](benchmarks.svg)

## What is asked of it

${asMarkdown(goalRows(results.goals))}

${RELAY}

${METHOD}

## Contenders

${Object.entries(KINDS)
  .map(([kind, title]) => [title, contenders.filter((each) => each.kind === kind)])
  .filter(([, those]) => those.length > 0)
  .map(([title, those]) => `${title}:\n\n${those.map(({ name, what }) => `- \`${name}\`: ${what}`).join('\n')}`)
  .join('\n\n')}
${notes(results.notes)}
## All figures

${tables(results)
  .map(([title, rows]) => `### ${title}\n\n${asMarkdown(rows)}`)
  .join('\n\n')}
`
}

const notes = (lines) =>
  lines.length > 0 ? `\nNot measured, or not wholly:\n\n${lines.map((line) => `- ${line}`).join('\n')}\n` : ''
