import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startHttpProxy, startSocksProxy } from '../support/next-proxy.ts'
import { cannotRun, launchElectron, type RemoteElectron, title } from './harness/launch.ts'
import { until } from './harness/until.ts'

/** Nobody can listen there, so that going directly fails in a way that can be told. */
const NOWHERE = 'http://255.255.255.255/'
const FAILED_DIRECTLY = 'the upstream refused the connection'

describe.skipIf(cannotRun)(title('the next proxy'), () => {
  let electron: RemoteElectron

  beforeAll(async () => {
    electron = await launchElectron()
  })

  afterEach(async () => {
    await electron.evaluate(async ({ electron, state }) => {
      for (const window of electron.BrowserWindow.getAllWindows()) window.destroy()
      await state.tabport.stop()
      await electron.session.defaultSession.setProxy({ mode: 'direct' })
    })
  })

  afterAll(() => electron?.close())

  /** Loads these URLs in one page, and gives their texts and what the proxy said of those that failed. */
  async function load(
    urls: string[],
    {
      partition,
      ...how
    }: { upstreamProxy: string; system?: string; scope?: string; route?: object; partition?: string },
  ): Promise<{ texts: string[]; failures: string[] }> {
    const texts = await electron.evaluate(
      async (
        { createTabport, electron, openPage, textAt, state },
        { upstreamProxy, system, scope, route, partition, urls },
      ) => {
        const { defaultSession } = electron.session
        if (system) await defaultSession.setProxy({ mode: 'fixed_servers', proxyRules: system })
        state.events = []
        state.tabport = await createTabport({
          upstreamProxy,
          scope,
          onEvent: (event: object) => state.events.push(event),
        })
        // Without a partition, a window has the default session.
        const page = partition === '' ? new electron.BrowserWindow({ show: false }) : openPage(partition)
        await state.tabport.attach(page.webContents, { route })
        const texts = []
        for (const url of urls) texts.push(await textAt(page, url))
        return texts
      },
      { ...how, partition, urls },
    )
    const failures = () =>
      electron.evaluate(({ state }) => {
        const failed = state.events.filter(({ type, code }: Record<string, string>) => {
          return type === 'error' && code !== 'http_request_denied'
        })
        return Array.from(new Set(failed.map(({ message }: { message: string }) => message))) as string[]
      })
    await until('the events', async () => texts.every((text) => text === 'public') || (await failures()).length > 0)
    return { texts, failures: await failures() }
  }

  test.each([
    ['PROXY', 'http', startHttpProxy],
    ['SOCKS5', 'socks5', startSocksProxy],
  ])('is the system’s, of the kind %s, where that is asked for', async (_kind, scheme, start) => {
    const next = await start({ to: await startPublicOrigin() })
    const how = { upstreamProxy: 'system', system: `${scheme}://${next.at}` }
    const { texts } = await load(['http://site.example/', 'http://other.example/'], how)
    expect(texts).toEqual(['public', 'public'])
    // The default session, whose proxy this is too, fetches things of its own.
    expect(next.asked).toEqual(expect.arrayContaining(['site.example:80', 'other.example:80']))
  })

  test('is none where the system has none', async () => {
    const { failures } = await load([NOWHERE], { upstreamProxy: 'system', system: 'direct://' })
    expect(failures).toEqual([FAILED_DIRECTLY])
  })

  test('is not this very proxy when the default session is a tab’s own', async () => {
    const { failures } = await load([NOWHERE], { upstreamProxy: 'system', partition: '' })
    expect(failures).toEqual([FAILED_DIRECTLY])
  })

  test('is one with credentials where a URL names it', async () => {
    const next = await startSocksProxy({ to: await startPublicOrigin(), wants: 'user:p@ss' })
    const { texts } = await load(['http://site.example/'], { upstreamProxy: `socks5://user:p%40ss@${next.at}` })
    expect(texts).toEqual(['public'])
  })

  test('that wants credentials does not make Chromium drop those of the tab', async () => {
    const next = await startHttpProxy({ to: 1, wants: 'user:pass' })
    const upstreamProxy = `http://${next.at}`
    const { failures } = await load(['http://site.example/', 'http://site.example/again'], { upstreamProxy })
    expect(failures).toEqual(['the next proxy asked for credentials'])
    const answered = await electron.evaluate(({ state }) => {
      const requests = state.events.filter(
        ({ type, path }: Record<string, string>) => type === 'request' && path !== '/favicon.ico',
      )
      return requests.map(({ status }: { status: number }) => status)
    })
    expect(new Set(answered)).toEqual(new Set([204, 502]))
  })

  test('leads to a route’s public upstream, whatever the scope', async () => {
    const next = await startHttpProxy({ to: await startPublicOrigin() })
    for (const scope of ['all', 'loopback']) {
      const route = { upstream: `http://{port}-${scope}.preview.example` }
      const { texts } = await load(['http://localhost:3000/'], { upstreamProxy: `http://${next.at}`, scope, route })
      expect(texts).toEqual(['public'])
      expect(next.asked).toContain(`3000-${scope}.preview.example:80`)
      await electron.evaluate(({ state }) => state.tabport.stop())
    }
  })

  test('that is not one is refused, without a word of its credentials', async () => {
    const outcome = await electron.evaluate(async ({ createTabport, outcomeOf, state }) => {
      state.tabport = await createTabport()
      return outcomeOf(createTabport({ upstreamProxy: 'ftp://user:secret@proxy.example' }))
    })
    expect(outcome.code).toBe('ERR_TABPORT_INVALID_ARGUMENT')
    expect(outcome.message).toContain('options.upstreamProxy')
    expect(JSON.stringify(outcome)).not.toContain('secret')
  })
})

async function startPublicOrigin(): Promise<number> {
  const server = createServer((_request, response) => response.end('public'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
