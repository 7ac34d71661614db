/** Uses the demo as a person would, and says step by step what it saw. Any step that fails ends it with the reason. */
import { writeFileSync } from 'node:fs'
import { pictureOf } from './screenshot'
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
export async function drive(window: DemoWindow, workspaces: Workspaces, pictureFile: string): Promise<void> {
  const wait = waitUntil(Date.now() + DEADLINE_MS)
  for (const tab of window.tabs) {
    const page = await wait(`${tab.workspace.name} to be live`, () => read(tab), isLive)
    requireOwn(tab, page)
    done(`tab ${numberOf(window, tab)}`, `${workspaces.url}  ${page.name} “${page.project}”  live reload connected`)
  }
  for (const tab of window.tabs) {
    const message = `Changed on disk, seen in tab ${numberOf(window, tab)}.`
    const others = await Promise.all(
      window.tabs.filter((other) => other !== tab).map((other) => untouched(other, wait)),
    )
    writeFileSync(tab.workspace.messageFile, `${message}\n`)
    const page = await wait(
      `the change of ${tab.workspace.name}`,
      () => read(tab),
      (now) => now.message === message,
    )
    await wait('live reload to be back', () => read(tab), isLive)
    for (const stillUntouched of others) await stillUntouched()
    done(
      `edit ${numberOf(window, tab)}`,
      `${tab.workspace.messageFile} → tab ${numberOf(window, tab)} only, reload ${page.reloads}`,
    )
  }
  for (const tab of window.tabs) {
    const counts = await wait(
      'a socket',
      async () => window.trafficOf(tab),
      ({ openSockets }) => openSockets > 0,
    )
    done(
      `traffic ${numberOf(window, tab)}`,
      `${counts.requests} requests, ${counts.openSockets} open socket${counts.openSockets === 1 ? '' : 's'}`,
    )
  }
  writeFileSync(pictureFile, await pictureOf(window))
  done('picture', pictureFile)
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
