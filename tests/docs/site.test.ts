// The site builds without a warning, and every page of it works in a real Chromium: nothing is missing, nothing is asked of
// anybody else, and every link leads to a page and a heading that exist.
import { existsSync, readdirSync } from 'node:fs'
import type { Browser, BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { docs, guide, REWRITES } from '../../docs/.vitepress/pages.mts'
import { launch } from '../browser/chromium.ts'
import { chromiumPath } from '../support/requirements.ts'
import { anchorsAndLinks, build, isOneOfMany, pages, type Site, serve } from './site.ts'

const executable = chromiumPath()
const PHONE = { width: 390, height: 844 }
/** How many pages are open at a time. */
const AT_ONCE = 4

let built: ReturnType<typeof build>
beforeAll(() => {
  built = build()
})

test('it builds', () => {
  expect(built.said).not.toMatch(/warn|deprecat/i)
  expect(built.status, built.said).toBe(0)
})

test('every page but the first is in the sidebar, and nothing else is', () => {
  const files = readdirSync(docs).filter((name) => name.endsWith('.md') && name !== 'index.md')
  const addresses = files.map((name) => `/${(REWRITES[name] ?? name).replace('.md', '')}`)
  expect(guide.flatMap(({ items }) => items.map(({ link }) => link)).sort()).toEqual(addresses.sort())
  for (const name of Object.keys(REWRITES)) expect.soft(existsSync(`${docs}${name}`), name).toBe(true)
})

describe.skipIf(!executable)('in Chromium (skipped without it)', () => {
  let browser: Browser
  let site: Site
  beforeAll(async () => {
    site = await serve()
    browser = await launch(executable as string)
  })
  afterAll(async () => {
    await browser?.close()
    await site?.close()
  })

  test('every page has a title and its pictures, fits a phone, logs no error, and asks nobody else', async () => {
    const opened = await visitAll(browser, site)
    expect(opened.size).toBeGreaterThan(20)
    for (const [page, { title, pictures, width, problems }] of opened) {
      expect.soft(title, page).toMatch(/\S+ \| tabport$|^tabport$/)
      expect.soft(pictures, page).not.toContain(0)
      expect.soft(width, page).toBe(PHONE.width)
      expect.soft(problems, page).toEqual([])
    }
    const inGuide = [...opened].filter(([page]) => !page.startsWith('/tabport/api/'))
    expect(new Set(inGuide.map(([, { description }]) => description)).size).toBe(inGuide.length)
    const all = new Map<string, Leads>([...pages().filter(isOneOfMany).map(read), ...opened])
    expect(all.size).toBe(pages().length)
    const wrong = [...all].flatMap(([page, { links }]) =>
      links.filter((link) => !leads(link, all)).map((link) => `${page}: ${link}`),
    )
    expect(wrong).toEqual([])
    expect(leads('/tabport/nowhere', all) || leads('/tabport/cli#nowhere', all)).toBe(false)
  }, 60_000)

  test('an address that there is not says so, and leads to the first page', async () => {
    const page = await browser.newPage()
    expect((await page.goto(`${site.origin}/tabport/nowhere`))?.status()).toBe(404)
    await page.getByRole('link', { name: 'go to home' }).click()
    await page.waitForURL(`${site.origin}/tabport/`)
    await page.close()
  })

  test('an error is found by its code', async () => {
    const page = await browser.newPage()
    await page.goto(`${site.origin}/tabport/`)
    await page.getByRole('button', { name: 'Search' }).click()
    await page.locator('#localsearch-input').fill('ERR_TABPORT_SESSION_IN_USE')
    await page.locator('.result', { hasText: 'Troubleshooting' }).first().click()
    await page.waitForURL(`${site.origin}/tabport/troubleshooting#err_tabport_session_in_use`)
    await page.close()
  })
})

interface Leads {
  /** Paths and anchors, where they stay in the site. */
  links: string[]
  ids: string[]
}

interface Seen extends Leads {
  title: string
  description: string | undefined
  /** Of all that can be scrolled to. */
  width: number
  /** Their widths, which are 0 for one that has not come. */
  pictures: number[]
  problems: string[]
}

const read = (page: string): [string, Leads] => [page, anchorsAndLinks(page)]

function leads(link: string, seen: Map<string, Leads>): boolean {
  const [path = '', anchor] = link.split('#')
  const page = seen.get(path) ?? seen.get(`${path}/`)
  return page !== undefined && (!anchor || page.ids.includes(decodeURIComponent(anchor)))
}

async function visitAll(browser: Browser, site: Site): Promise<Map<string, Seen>> {
  const context = await browser.newContext({ viewport: PHONE })
  const seen = new Map<string, Seen>()
  const left = pages().filter((page) => !isOneOfMany(page))
  const work = async () => {
    for (let page = left.shift(); page; page = left.shift()) seen.set(page, await visit(context, site.origin, page))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  await context.close()
  return seen
}

async function visit(context: BrowserContext, origin: string, address: string): Promise<Seen> {
  const page = await context.newPage()
  const problems: string[] = []
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('pageerror', ({ message }) => problems.push(message))
  page.on('requestfailed', (request) => problems.push(`${request.url()} failed`))
  page.on('response', (response) => response.status() >= 400 && problems.push(`${response.url()} ${response.status()}`))
  page.on('request', (request) => request.url().startsWith(origin) || problems.push(`asks ${request.url()}`))
  await page.goto(`${origin}${address}`)
  await page.waitForFunction(() => '__vue_app__' in document.querySelector('#app')!)
  const found = await page.evaluate(() => ({
    title: document.title,
    description: document.querySelector<HTMLMetaElement>('meta[name=description]')?.content,
    width: document.documentElement.scrollWidth,
    pictures: Array.from(document.images, (image) => image.naturalWidth),
    links: Array.from(document.links).flatMap(({ href }) => {
      const { origin, pathname, hash } = new URL(href)
      return origin === location.origin ? [`${pathname}${hash}`] : []
    }),
    ids: Array.from(document.querySelectorAll('[id]'), ({ id }) => id),
  }))
  await page.close()
  return { ...found, problems: [...problems] }
}
