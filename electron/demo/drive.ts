/** Uses the demo as a person would, and says step by step what it saw. Any step that fails ends it with the reason. */
import { writeFileSync } from 'node:fs'
import type { Gateway } from './gateway'
import { pictureOf } from './screenshot'
import type { Counts } from './traffic'
import type { DemoTab, DemoWindow } from './window'
import type { Workspaces } from './workspaces'

const DEADLINE_MS = 30_000
const POLL_MS = 50

/** What a workspace's page says of itself. */
interface PageState {
  name: string
  project: string
  message: string
  live: string
  reloads: number
  fetched: string
  ticks: number
}

/** @throws An `Error` that says which step did not come true before the deadline. */
export async function drive(
  window: DemoWindow,
  workspaces: Workspaces,
  gateway: Gateway,
  pictureFile: string,
): Promise<void> {
  const wait = waitUntil(Date.now() + DEADLINE_MS)
  for (const tab of window.tabs) await look(window, tab, workspaces.url, wait)
  for (const tab of window.tabs) await edit(window, tab, wait)
  for (const tab of window.tabs) await count(window, tab, wait)
  await countAt(gateway, wait)
  writeFileSync(pictureFile, await pictureOf(window))
  done('picture', pictureFile)
}

/** Each tab shows its own workspace. */
async function look(window: DemoWindow, tab: DemoTab, url: string, wait: Wait): Promise<void> {
  const page = await wait(`${tab.workspace.name} to be live`, () => read(tab), isLive)
  requireOwn(tab, page)
  const way = tab.gateway ? `through cmux-proxy at ${tab.gateway.origin}` : 'by its route'
  done(`tab ${numberOf(window, tab)}`, `${url}  ${page.name} “${page.project}”  live reload connected, ${way}`)
}

/** A change on disk reloads the tab of that workspace, and no other. */
async function edit(window: DemoWindow, tab: DemoTab, wait: Wait): Promise<void> {
  const { name, messageFile } = tab.workspace
  const number = numberOf(window, tab)
  const message = `Changed on disk, seen in tab ${number}.`
  const others = await Promise.all(window.tabs.filter((other) => other !== tab).map((other) => untouched(other, wait)))
  writeFileSync(messageFile, `${message}\n`)
  const isChanged = (page: PageState): boolean => page.message === message
  const page = await wait(`the change of ${name}`, () => read(tab), isChanged)
  await wait('live reload to be back', () => read(tab), isLive)
  for (const stillUntouched of others) await stillUntouched()
  done(`edit ${number}`, `${messageFile} → tab ${number} only, reload ${page.reloads}`)
}

/** The live traffic counts know of the page's socket. */
async function count(window: DemoWindow, tab: DemoTab, wait: Wait): Promise<void> {
  const hasSocket = (counts: Counts): boolean => counts.openSockets > 0
  const { requests, openSockets } = await wait('a socket', async () => window.trafficOf(tab), hasSocket)
  const sockets = `${openSockets} open socket${openSockets === 1 ? '' : 's'}`
  done(`traffic ${numberOf(window, tab)}`, `${requests} requests, ${sockets}`)
}

/** The gateway itself knows of what has come through it. */
async function countAt(gateway: Gateway, wait: Wait): Promise<void> {
  const requests = await wait('requests at the gateway', gateway.requests, (requests) => requests > 0)
  done('gateway', `cmux-proxy has led ${requests} requests to their workspace`)
}

const isLive = ({ live, fetched, ticks }: PageState): boolean => live === 'open' && fetched !== '' && ticks > 0

function requireOwn({ workspace }: DemoTab, { name, message, fetched }: PageState): void {
  if (name !== workspace.name || fetched !== workspace.name || message !== workspace.message) {
    throw new Error(`the tab of ${workspace.name} shows ${name}, fetched from ${fetched}: “${message}”`)
  }
}

/** Notes what a tab shows; the check it gives fails if that has changed. */
async function untouched(tab: DemoTab, wait: Wait): Promise<() => Promise<void>> {
  const readIt = (): Promise<PageState> => wait(`${tab.workspace.name} to be live`, () => read(tab), isLive)
  const before = await readIt()
  return async () => {
    const after = await readIt()
    if (after.message === before.message && after.reloads === before.reloads) return
    throw new Error(`the tab of ${tab.workspace.name} changed too: “${after.message}”`)
  }
}

/** A page in mid-reload has no state to read. */
function read({ view }: DemoTab): Promise<PageState | undefined> {
  return view.webContents.executeJavaScript('window.workspace && { ...window.workspace }').catch(() => undefined)
}

type Wait = <T>(what: string, read: () => Promise<T | undefined>, holds: (value: T) => boolean) => Promise<T>

function waitUntil(deadline: number): Wait {
  return async (what, read, holds) => {
    for (;;) {
      const value = await read()
      if (value !== undefined && holds(value)) return value
      if (Date.now() > deadline) throw new Error(`waited for ${what} in vain; last seen: ${JSON.stringify(value)}`)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }
}

const numberOf = (window: DemoWindow, tab: DemoTab): number => window.tabs.indexOf(tab) + 1

const done = (step: string, seen: string): void => console.log(`✓ ${step.padEnd(10)} ${seen}`)
