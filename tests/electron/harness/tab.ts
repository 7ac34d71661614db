/** One routed tab, anew for each test of a file: in an Electron that they share, behind a proxy of the test's own. */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { launchElectron, type RemoteElectron } from './launch.ts'
import { startWorkspaces, type Workspaces } from './workspaces.ts'

export interface TabOfEachTest {
  readonly electron: Pick<RemoteElectron, 'evaluate'>
  readonly workspaces: Workspaces
  /** Gives the test another proxy, with these options, and another tab: `state.tabport` and `state.page` there. */
  attach(options: object): Promise<void>
}

/** For all tests of a `describe`. The tab's route is that of the first workspace, and none may reach the own machine. */
export function useTab(options: object): TabOfEachTest {
  let running: RemoteElectron | undefined
  const electron: TabOfEachTest['electron'] = { evaluate: (run, argument) => running!.evaluate(run, argument) }
  const workspaces = {} as Workspaces

  const attach = (options: object): Promise<void> =>
    electron.evaluate(
      async ({ createTabport, openPage, state }, { options, route }) => {
        await state.tabport?.stop()
        state.tabport = await createTabport(options)
        state.page = openPage()
        await state.tabport.attach(state.page.webContents, { route })
      },
      { options, route: workspaces.routes.one },
    )

  beforeAll(async () => {
    const started = await Promise.all([launchElectron(), startWorkspaces()])
    running = started[0]
    Object.assign(workspaces, started[1])
  })

  beforeEach(() => attach(options))

  afterEach(async () => {
    await electron.evaluate(async ({ electron, state }) => {
      for (const window of electron.BrowserWindow.getAllWindows()) window.destroy()
      await state.tabport.stop()
    })
    for (const server of workspaces.ownMachine) expect(server.connections()).toBe(0)
  })

  afterAll(async () => {
    await running?.close()
    await workspaces.close?.()
  })

  return { electron, workspaces, attach }
}
