// W9: how long a real Chromium takes to load a page of 300 modules, straight and through tabport, by its plain
// listener (HTTP/1.1, six requests at a time to one origin) and by its secure one (HTTP/2, all at once). Six event
// streams leave no room for anything else, either: how many of 20 open, and whether a fetch beside them is answered.
import { StepError } from '../scripts/lib/step.mjs'
import { Child } from './children.mjs'
import { launchChromium, openTab } from './chromium.mjs'
import { runtime } from './paths.mjs'
import { paired, spread } from './statistics.mjs'
import { PAGES } from './workloads.mjs'

/** For what a way cannot do at all: far longer than any of it takes where it can be done. */
const STREAM_PATIENCE_MS = 3_000

/** Loads the page `loads` times by each way and delay, and tries event streams once by each way. */
export async function runModules(loads, { ports: [port] }) {
  const origin = `http://127.0.0.1:${port}`
  const ways = []
  let browser
  try {
    ways.push({ name: 'direct' })
    ways.push(await startWay(PAGES.plain, 'http', 'tabport'))
    ways.push(await startWay(PAGES.secure, 'https', 'tabport-secure'))
    browser = await launchChromium(ways.flatMap(({ certificate }) => certificate ?? []))
    const samples = await loadInTurn(browser, ways, loads, origin)
    return {
      chromium: await versionOf(browser),
      delays: PAGES.delays,
      ways: await summaries(browser, ways, samples, origin),
    }
  } finally {
    await browser?.close()
    await Promise.all(ways.map(({ child }) => child?.stop()))
  }
}

/** `156.0.…` of `HeadlessChrome/156.0.…`. */
async function versionOf(browser) {
  return (await browser.version()).split('/')[1]
}

async function startWay(name, scheme, script) {
  const child = new Child(process.execPath, [runtime, script])
  const { port, credentials, certificate } = await child.answer()
  const [username, password] = Buffer.from(credentials.slice('Basic '.length), 'base64').toString().split(':')
  return { name, child, certificate, proxy: { server: `${scheme}://127.0.0.1:${port}`, username, password } }
}

/** Milliseconds by way and delay. A first load of each, thrown away, warms up the browser and the proxies. */
async function loadInTurn(browser, ways, loads, origin) {
  const samples = Object.fromEntries(ways.map(({ name }) => [name, PAGES.delays.map(() => [])]))
  for (const way of ways) await timeToLoad(browser, way, 0, origin)
  for (let round = 0; round < loads; round++) {
    for (const [index, delay] of PAGES.delays.entries()) {
      for (const way of startingAt(ways, round)) {
        samples[way.name][index].push(await timeToLoad(browser, way, delay, origin))
      }
    }
  }
  return samples
}

function startingAt(ways, round) {
  const first = round % ways.length
  return [...ways.slice(first), ...ways.slice(0, first)]
}

/** From the navigation to the page's `load`, in milliseconds of the page's own clock. */
async function timeToLoad(browser, { name, proxy }, delay, origin) {
  const tab = await openTab(browser, proxy, `${origin}/page/0/0`)
  try {
    await tab.goto(`${origin}/page/${delay}/${PAGES.modules}`)
    const [ran, time] = await tab.evaluate(() => [
      globalThis.ran,
      performance.getEntriesByType('navigation')[0].loadEventStart,
    ])
    if (ran !== PAGES.modules) throw new StepError(`${name}: ${ran ?? 0} of ${PAGES.modules} modules ran in Chromium`)
    return time
  } finally {
    await tab.close()
  }
}

async function summaries(browser, ways, samples, origin) {
  const results = {}
  for (const { name, proxy } of ways) {
    const cells = samples[name].map((times, index) => ({
      times,
      time: spread(times),
      toDirect: spread(paired(times, samples.direct[index])),
    }))
    results[name] = { cells, streams: await countStreams(browser, proxy, origin) }
  }
  return results
}

/** How many event streams of one page are open at once, and whether a fetch of that page is answered meanwhile. */
async function countStreams(browser, proxy, origin) {
  const tab = await openTab(browser, proxy, `${origin}/page/0/0`)
  try {
    return await tab.evaluate(openStreams, { streams: PAGES.streams, patience: STREAM_PATIENCE_MS })
  } finally {
    await tab.close()
  }
}

/** Runs in the page, so that it can name nothing outside of it. */
async function openStreams({ streams, patience }) {
  const sources = Array.from({ length: streams }, () => new EventSource('/events'))
  const opened = sources.map((source) => new Promise((resolve) => source.addEventListener('message', resolve)))
  const late = new Promise((resolve) => setTimeout(resolve, patience))
  await Promise.race([Promise.all(opened), late])
  const answered = await fetch('/1024', { signal: AbortSignal.timeout(patience) }).then(
    ({ ok }) => ok,
    () => false,
  )
  return { open: sources.filter(({ readyState }) => readyState === EventSource.OPEN).length, answered }
}
