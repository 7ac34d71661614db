// The page that stands in for a site whose upstream fails, in a real Chromium. Its clock is the test's own.
import type { Browser, Frame, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, startOrigin, startWorkspace } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { startObserved } from '../support/proxy.ts'
import { chromiumPath } from '../support/requirements.ts'
import { launch, openTab } from './chromium.ts'

const executable = chromiumPath()

describe.skipIf(!executable)('the page for a failed navigation (skipped without Chromium)', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch(executable as string)
  })
  afterAll(() => browser?.close())

  test('names the route, and becomes the site by itself', async () => {
    const { tab, url, upstream, start, asked, complaints, bait } = await openDown(browser)
    const response = await tab.goto(`${url}a?b=c#part`)
    expect(response?.status()).toBe(502)
    expect(await tab.title()).toBe(`${new URL(url).host} cannot be reached`)
    expect(await tab.textContent('h1')).toBe(`Nothing is listening at ${upstream}.`)
    expect(await tab.textContent('dl')).toContain(`${upstream}, by this tab's route`)
    expect(await tab.evaluate('getComputedStyle(document.querySelector("main")).borderRadius')).toBe('12px')
    const history = await tab.evaluate('history.length')

    await nextTry(tab, '1 s', 500)
    await nextTry(tab, '1 s', 1_000)
    const origin = await start(site('up'))
    await nextTry(tab, '2 s', 2_000, 'up')
    expect(tab.url()).toBe(`${url}a?b=c#part`)
    expect(await tab.evaluate('history.length')).toBe(history)
    await until('the last request', () => asked().length >= 5)
    expect(asked()).toEqual(['GET 502', 'HEAD 502', 'HEAD 502', 'HEAD 200', 'GET 200'])
    expect(origin.seen.map(({ url }) => url)).toEqual(['/a?b=c', '/a?b=c'])
    expect(complaints).toEqual([])
    expect(bait.connections).toBe(0)
  })

  test('backs off from an address that answers but does not load', async () => {
    const { tab, url, start, asked } = await openDown(browser)
    await tab.goto(url)
    const history = await tab.evaluate('history.length')
    await start((request, response) => (request.method === 'HEAD' ? response.end() : request.socket.destroy()))
    for (const [page, delay] of [500, 1_000, 2_000, 4_000, 5_000, 5_000].entries()) {
      await until(`page ${page}`, async () => (await state(tab)) === `Tries again in ${Math.ceil(delay / 1_000)} s.`)
      await tab.clock.runFor(delay - 1)
      expect(asked()).toHaveLength(1 + 2 * page)
      await tab.clock.runFor(1)
      await until(`load ${page}`, () => asked().length === 3 + 2 * page)
    }
    await until('the last page', async () => (await state(tab)) === 'Tries again in 5 s.')
    expect(await tab.evaluate('history.length')).toBe(history)
  })

  test('tries at once when it is shown again, or on request, and not while it is hidden', async () => {
    const { tab, url, start, asked, allAsked } = await openDown(browser)
    await tab.goto(url)
    const show = (shown: boolean) =>
      tab.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
      }, !shown)
    await show(false)
    expect(await state(tab)).toBe('Tries again when this page is shown.')
    await tab.clock.runFor(60_000)
    expect(await allAsked()).toEqual(['GET 502', 'OPTIONS 502'])
    await show(true)
    await until('a try', async () => (await state(tab)) === 'Tries again in 1 s.')
    await until('its request', () => asked().at(-1) === 'HEAD 502')
    await start(site('up'))
    await tab.click('text=Try now')
    await until('the site', async () => (await heading(tab)) === 'up')
  })

  test('stays when the proxy is gone', async () => {
    const { tab, url, proxy } = await openDown(browser)
    await tab.goto(url)
    await proxy.stop()
    await nextTry(tab, '1 s', 500)
    await tab.click('text=Try now')
    await until('the answer', async () => (await state(tab)) === 'Tries again in 2 s.')
    expect(await heading(tab)).toContain('Nothing is listening')
  })

  test('takes a redirect for an answer, and does not fetch a download twice', async () => {
    const { tab, url, start, asked, allAsked } = await openDown(browser)
    await tab.goto(url)
    const origin = await start((request, response) => {
      if (request.url === '/login') return site('login')(request, response)
      response.writeHead(302, { Location: '/login' }).end()
    })
    await tab.clock.runFor(500)
    await until('the redirect', async () => (await heading(tab)) === 'login')
    expect(tab.url()).toBe(`${url}login`)

    await origin.close()
    await tab.goto(url)
    await start((_request, response) => response.writeHead(204).end())
    await tab.clock.runFor(5_000)
    await until('the load', () => asked().slice(-2).join() === 'HEAD 204,GET 204')
    const before = asked()
    await tab.clock.runFor(60_000)
    expect(await allAsked()).toEqual([...before, 'OPTIONS 204'])
    expect(await state(tab)).toBe('Opening …')
  })

  test('never sends a form again', async () => {
    const { tab, url, start, allAsked } = await openDown(browser)
    const origin = await start(site('<form method=post><button>Send</button></form>'))
    await tab.goto(url)
    await origin.close()
    await tab.click('button')
    await until('the page', async () => (await state(tab))?.includes('It is not sent again'))
    const again = await start(site('up'))
    await tab.clock.runFor(60_000)
    expect((await allAsked()).slice(-2)).toEqual(['POST 502', 'OPTIONS 200'])
    await tab.click('text=Open the address')
    await until('the site', async () => (await heading(tab)) === 'up')
    expect(again.seen.map(({ method }) => method)).toEqual(['OPTIONS', 'GET'])
  })

  test('is for people: a fetch gets text, and a frame gets the page', async () => {
    const { tab, url, start, asked } = await openDown(browser)
    const frames = `<iframe src=/></iframe><iframe src=/ sandbox=allow-scripts></iframe>`
    const outer = await startWorkspace((_request, response) => {
      response.setHeader('Content-Type', 'text/html').end(frames.replaceAll('src=/', `src=${url}`))
    })
    await tab.goto(`http://localhost:${outer.origin.port}/`)
    const inner = tab.frames().slice(1)
    for (const frame of inner) await until('the page', async () => (await heading(frame))?.startsWith('Nothing'))
    const text = await inner[0]?.evaluate(() =>
      fetch(location.href).then(async (response) => [
        response.status,
        response.headers.get('content-type'),
        await response.text(),
      ]),
    )
    expect(text).toEqual([502, 'text/plain; charset=utf-8', 'the upstream refused the connection\n'])

    await start(site('up'))
    await tab.clock.runFor(5_000)
    for (const frame of tab.frames().slice(1)) await until('the site', async () => (await heading(frame)) === 'up')
    expect(tab.url()).toBe(`http://localhost:${outer.origin.port}/`)
    await until('both loads', () => asked().filter((line) => line === 'GET 200').length === 2)
    expect(asked().filter((line) => line.startsWith('HEAD'))).toEqual(['HEAD 200'])
  })

  test('is told by other fields where Chromium sends no metadata', async () => {
    const origin = await startOrigin()
    await origin.close()
    const { proxy, events } = await startObserved({ connectTo: { 'site.test:80': `127.0.0.1:${origin.port}` } })
    const tab = await openTab(browser, proxy, proxy.createContext(1))
    await tab.goto('http://site.test/')
    expect(await heading(tab)).toBe('Nothing is listening at http://site.test.')
    expect(await tab.textContent('dl')).toContain('http://site.test, directly')
    await startOrigin(site('up'), { port: origin.port })
    await until('the site', async () => (await heading(tab)) === 'up')
    expect(events.filter(({ type }) => type === 'request').length).toBeLessThan(10)
  })
})

/** A tab whose route leads to a server that is down, and what starts one there. Time stands still in the tab. */
async function openDown(browser: Browser) {
  const { origin, bait, route } = await startWorkspace()
  await origin.close()
  const { proxy, events } = await startObserved()
  const tab = await openTab(browser, proxy, proxy.createContext(1, route))
  await tab.clock.install({ time: 0 })
  await tab.clock.pauseAt(1_000)
  const complaints: string[] = []
  tab.on('console', (message) => message.text().includes('Security Policy') && complaints.push(message.text()))
  const { port } = origin
  const asked = () =>
    events.flatMap((event) =>
      event.type === 'request' && event.authority === `localhost:${port}` ? [`${event.method} ${event.status}`] : [],
    )
  /** The same, with all that the page has sent until now: this is asked for after it. */
  const allAsked = async () => {
    await tab.evaluate(() => fetch(location.href, { method: 'OPTIONS' }))
    await until('the last request', () => asked().some((line) => line.startsWith('OPTIONS')))
    return asked()
  }
  const start = (answer: Answer) => startOrigin(answer, { host: '127.18.0.1', port })
  const upstream = `http://127.18.0.1:${port}`
  return { tab, proxy, url: `http://localhost:${port}/`, upstream, start, asked, allAsked, complaints, bait }
}

const site =
  (heading: string): Answer =>
  (_request, response) => {
    response.setHeader('Content-Type', 'text/html').end(`<!doctype html><link rel=icon href=data:,><h1>${heading}</h1>`)
  }

/** Lets the time of the next try come, when the page has announced it, and waits until it is over. */
async function nextTry(tab: Page, announced: string, delay: number, then?: string): Promise<void> {
  await until(`a try in ${announced}`, async () => (await state(tab)) === `Tries again in ${announced}.`)
  await tab.clock.runFor(delay)
  await until('its end', async () => {
    if (then) return (await heading(tab)) === then
    return (await state(tab))?.startsWith('Tries again in')
  })
}

/** Undefined while the page is being replaced. */
const heading = (tab: Page | Frame) => tab.textContent('h1', { timeout: 1_000 }).catch(() => undefined)
const state = (tab: Page) => tab.textContent('#state', { timeout: 1_000 }).catch(() => undefined)
