// Runs one contender written in JavaScript, in this process, as an application would: its main thread can be kept
// busy while the proxy works. Prints one line of JSON when it listens; ends when its standard input does.
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'

const { load, start } = await import(`./${process.argv[2]}.mjs`)
const weighed = process.argv.includes('--weigh')
const KEPT_MS = 20

const before = weighed ? memory() : 0
const began = performance.now()
const loaded = await load()
const required = performance.now()
const listening = await start(loaded)
const started = performance.now()
const times = { requireMs: required - began, startMs: started - required }
console.log(JSON.stringify({ ...listening, ...times, grownKiB: weighed ? memory() - before : undefined }))

/** What each word on standard input makes the main thread do, for 20 ms of every 40. */
const CHORES = {
  idle: undefined,
  blocked: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, KEPT_MS),
  computing: () => {
    const end = performance.now() + KEPT_MS
    while (performance.now() < end);
  },
}

let timer
for await (const word of createInterface({ input: process.stdin })) {
  clearTimeout(timer)
  if (CHORES[word]) keepBusy(CHORES[word])
  console.log(JSON.stringify(word))
}
process.exit()

function keepBusy(chore) {
  chore()
  timer = setTimeout(keepBusy, KEPT_MS, chore)
}

/** This process's share of the machine's memory, in KiB, without what is garbage. */
function memory() {
  globalThis.gc()
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1])
}
