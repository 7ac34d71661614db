/**
 * The demo: one window, two tabs, both at `http://localhost:3000`, each showing its own workspace. The first tab's route
 * leads there itself, the second's through the workspace gateway.
 *
 * With `TABPORT_DEMO_DRIVE=<file.png>` it drives itself, prints what it saw, saves a picture of the window and ends.
 */
import { app } from 'electron'
import { createTabport } from '../index'
import { drive } from './drive'
import { startGateway } from './gateway'
import { Traffic } from './traffic'
import { openWindow } from './window'
import { startWorkspaces } from './workspaces'

const DRIVE_DEADLINE_MS = 60_000

async function main(): Promise<void> {
  const picture = process.env.TABPORT_DEMO_DRIVE
  if (picture) setTimeout(() => fail(new Error('the demo did not come to its end')), DRIVE_DEADLINE_MS)
  const traffic = new Traffic()
  const gateway = await startGateway()
  // Also told by app.exit(), after which a process of its own would be left over.
  app.on('quit', gateway.close)
  const [workspaces, tabport] = await Promise.all([
    startWorkspaces(),
    createTabport({ onEvent: (event) => traffic.count(event), partitionPrefix: 'demo-' }),
    app.whenReady(),
  ])
  app.on('will-quit', workspaces.close)
  for (const remark of workspaces.remarks) console.log(remark)
  const window = await openWindow(workspaces, gateway, tabport, traffic)

  if (picture) {
    await drive(window, workspaces, gateway, picture)
    app.quit()
  } else {
    console.log(`Both tabs show ${workspaces.url}. Edit these files and watch them:`)
    for (const { messageFile } of workspaces.all) console.log(`  ${messageFile}`)
  }
}

function fail(error: unknown): void {
  console.error('✗', error)
  app.exit(1)
}

main().catch(fail)
