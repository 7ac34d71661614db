/** The two workspaces of the demo: a dev server each, on one port of two addresses where the system has two. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DevServer, startDevServer } from './dev-server'
import { removeFolder } from './remove-folder'

const PREFERRED_PORT = 3000

/** Linux answers on all of 127/8; other systems on 127.0.0.1 alone. The gateway has these addresses from the names. */
const ADDRESSES = ['127.18.0.1', '127.18.0.2']
export const ONLY_ADDRESS = '127.0.0.1'

const PROJECTS = [
  { name: 'workspace-1', project: 'Orchard', theme: 'orchard', message: 'The apples are in.' },
  { name: 'workspace-2', project: 'Harbour', theme: 'harbour', message: 'The boats are out.' },
] as const

export interface Workspaces {
  readonly all: DevServer[]
  /** What both tabs show. */
  readonly url: string
  /** What is different on this machine from what the documentation shows. */
  readonly remarks: string[]
  /** Stops the dev servers and removes the folder of their files. */
  close(): void
}

type Running = Omit<Workspaces, 'close'>

export async function startWorkspaces(): Promise<Workspaces> {
  const folder = mkdtempSync(join(tmpdir(), 'tabport-demo-'))
  const start = (index: number, address: string, port: number): Promise<DevServer> =>
    startDevServer(PROJECTS[index]!, folder, address, port)
  const running = await startAll(start)
  const close = (): void => {
    for (const server of running.all) server.close()
    removeFolder(folder)
  }
  return { ...running, close }
}

type Start = (index: number, address: string, port: number) => Promise<DevServer>

async function startAll(start: Start): Promise<Running> {
  try {
    return await onOnePort(start, PREFERRED_PORT, [])
  } catch (error) {
    if (isCode(error, 'EADDRINUSE')) {
      return onOnePort(start, 0, [`Port ${PREFERRED_PORT} is taken on ${ADDRESSES.join(' or ')}: using another one.`])
    }
    if (isCode(error, 'EADDRNOTAVAIL')) return onOneAddress(start)
    throw error
  }
}

async function onOnePort(start: Start, wanted: number, remarks: string[]): Promise<Running> {
  const first = await start(0, ADDRESSES[0]!, wanted)
  try {
    const second = await start(1, ADDRESSES[1]!, first.port)
    return { all: [first, second], url: `http://localhost:${first.port}`, remarks }
  } catch (error) {
    first.close()
    throw error
  }
}

async function onOneAddress(start: Start): Promise<Running> {
  const [first, second] = [await start(0, ONLY_ADDRESS, 0), await start(1, ONLY_ADDRESS, 0)]
  const remarks = ['This system has one loopback address: the workspaces listen on two ports of 127.0.0.1.']
  // A gateway leads to the port that was asked for: there that must be the second workspace's.
  return { all: [first, second], url: `http://localhost:${second.port}`, remarks }
}

const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code
