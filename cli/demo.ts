// `tabport demo`: two worlds at one localhost URL, in what there is to show them: an Electron, a Chromium, or Node alone.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ProxyServer } from 'tabport'
import { openBrowser } from './demo/browser'
import { fetchHeading } from './demo/client'
import { startWorlds, type Worlds } from './demo/worlds'
import { findChromium, findElectron, type Places } from './find'
import { awaitSignal } from './proxy/ending'
import { parseFlags, UsageError } from './usage'

const HELP = `Shows two worlds at one localhost URL.

Usage: tabport demo [FLAGS]

  --in WHERE   electron, chromium or node (default: the first of them that is found and has a display)
  --once       prints what is shown, and ends

An Electron is looked for in TABPORT_ELECTRON and ./node_modules, a Chromium in TABPORT_CHROMIUM and where systems
have it.
`

const FLAGS = { in: { type: 'string' }, once: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const

type Show = (worlds: Worlds, executable: string, endAtOnce: boolean) => Promise<void>

const SHOWS: Record<string, Show> = { electron: inElectron, chromium: inChromium, node: inNode }

export async function demo(args: string[]): Promise<number> {
  const flags = parseFlags('demo', args, FLAGS)
  if (flags.help) {
    process.stdout.write(HELP)
    return 0
  }
  const [where, executable] = choose(flags.in)
  const worlds = await startWorlds()
  try {
    for (const { name, origin } of worlds.all) console.log(`${name} is served at ${origin}`)
    await SHOWS[where]!(worlds, executable, flags.once ?? false)
  } finally {
    worlds.close()
  }
  return 0
}

function choose(wanted: string | undefined): [string, string] {
  const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined)
  const places: Places = { platform: process.platform, env: process.env, cwd: process.cwd(), exists: existsSync, read }
  const found = { electron: findElectron(places), chromium: findChromium(places), node: process.execPath }
  if (wanted !== undefined && !Object.hasOwn(found, wanted)) {
    throw new UsageError(`tabport demo: --in is electron, chromium or node, not ${JSON.stringify(wanted)}`)
  }
  const candidates = wanted ? [wanted] : hasDisplay() ? ['electron', 'chromium', 'node'] : ['node']
  for (const where of candidates as (keyof typeof found)[]) if (found[where]) return [where, found[where]]
  throw new Error(`no ${wanted} was found: tabport doctor says where it is looked for`)
}

function hasDisplay(): boolean {
  return process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY)
}

async function inElectron({ all, url }: Worlds, executable: string, endAtOnce: boolean): Promise<void> {
  const app = fileURLToPath(new URL('demo-app.cjs', import.meta.url))
  const env = { ...process.env, TABPORT_DEMO: JSON.stringify({ url, worlds: all, once: endAtOnce }) }
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const electron = spawn(executable, [...sandbox, RESOLVE_NOTHING, app], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ending = awaitSignal()
  ending.told.then(() => electron.kill())
  createInterface({ input: electron.stdout }).on('line', (line) => {
    const { title, url: shownUrl } = JSON.parse(line)
    tell('Electron', shownUrl, title)
  })
  const [code] = await once(electron, 'close')
  ending.forget()
  if (code) throw new Error(`Electron ended with ${code}`)
}

const RESOLVE_NOTHING = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1'

async function inChromium(worlds: Worlds, executable: string, endAtOnce: boolean): Promise<void> {
  const proxy = await ProxyServer.listen()
  const ending = awaitSignal()
  try {
    const browser = await openBrowser(executable, worlds, proxy, !hasDisplay())
    for (const { title, url } of browser.shown) tell('Chromium', url, title)
    if (!endAtOnce) await Promise.race([browser.ended, ending.told])
    await browser.close()
  } finally {
    ending.forget()
    await proxy.stop()
  }
}

async function inNode({ all, url }: Worlds): Promise<void> {
  const proxy = await ProxyServer.listen()
  try {
    for (const [index, { route }] of all.entries()) {
      const context = proxy.createContext(index + 1, route)
      tell(`${context.username}, to ${route.upstream},`, url, await fetchHeading(url, proxy.port(), context))
    }
  } finally {
    await proxy.stop()
  }
}

function tell(who: string, url: string, title: string): void {
  console.log(`${who} shows ${url} as ${title}`)
}
