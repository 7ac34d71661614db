// One URL, two worlds: every browser context has a localhost of its own.
import type { Page } from '@playwright/test'
import { expect, test } from 'tabport/playwright'

test.use({ localhost: { upstream: 'http://127.18.0.1:{port}' } })

test('the page is the first workspace’s', async ({ page }) => {
  await page.goto('/')
  await expect(page.locator('h1')).toHaveText('one v1')
})

for (const scheme of ['http', 'https']) {
  test(`two contexts see two worlds at one ${scheme} URL`, async ({ page, newLocalhost, baseURL }) => {
    const url = `${baseURL}`.replace('http', scheme)
    const other = await newLocalhost({ upstream: 'http://127.18.0.2:{port}' })
    const pages = [page, await other.newPage()] as const
    for (const each of pages) await each.goto(url)

    await expect(pages[0].locator('h1')).toHaveText('one v1')
    await expect(pages[1].locator('h1')).toHaveText('two v1')
    expect(pages.map((each) => new URL(each.url()).origin)).toEqual([url, url])
    await expect.poll(() => seen(pages[0])).toEqual({ fetch: 'one', webSocket: 'one: hello' })
    await expect.poll(() => seen(pages[1])).toEqual({ fetch: 'two', webSocket: 'two: hello' })
  })
}

/** What the page has fetched, and heard over its WebSocket. */
const seen = (page: Page) =>
  page.evaluate(() => {
    const { api, messages } = (globalThis as unknown as { seen: { api?: string; messages: string[] } }).seen
    return { fetch: api, webSocket: messages[0] }
  })
