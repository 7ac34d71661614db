// Names begin with what must become of each test.
import { expect, test } from 'tabport/playwright'

const one = { upstream: 'http://127.18.0.1:{port}' }
const two = { upstream: 'http://127.18.0.2:{port}' }

test.describe('in the first workspace', () => {
  test.use({ localhost: one })

  test('passes: a context that the test makes itself is in it, too', async ({ browser }) => {
    const page = await (await browser.newContext()).newPage()
    await page.goto('/')
    await expect(page.locator('h1')).toHaveText('one v1')
  })

  test('passes: requests that are no page’s are in it, too', async ({ page, request }) => {
    for (const client of [request, page.request]) {
      expect(await (await client.get('/api')).json()).toEqual({ from: 'one' })
    }
  })

  test('passes: what a context was given ends with it', async ({ newLocalhost, localhostServer }) => {
    const before = localhostServer.stats().contexts
    await newLocalhost(two)
    expect(localhostServer.stats().contexts).toBe(before + 1)
  })

  test('passes: of the contexts before none is left, only its own', async ({ localhostServer }) => {
    expect(localhostServer.stats().contexts).toBe(1)
  })

  test('fails: it is not the second', async ({ page }) => {
    await page.goto('/')
    await expect(page.locator('h1')).toHaveText('two v1', { timeout: 500 })
  })
})

test.describe('with a TLS server of the machine’s own', () => {
  const foreign = `127.0.0.1:${process.env.FOREIGN_PORT}`
  test.use({ localhost: { ...one, local: [foreign] } })
  test('passes: only the proxy’s certificates are trusted', async ({ page }) => {
    await expect(page.goto(`https://${foreign}/`)).rejects.toThrow('ERR_CERT_AUTHORITY_INVALID')
  })
})

test.describe('beside another proxy', () => {
  test.use({ localhost: one, proxy: { server: 'http://127.0.0.1:9' } })
  test('fails: a context has one proxy', async ({ browser }) => {
    const page = await (await browser.newContext()).newPage()
    await page.goto('/')
  })
})

test.describe('with a route that is none', () => {
  test.use({ localhost: { upstream: 'no origin' } })
  test('fails: the route is refused', async ({ page }) => {
    await page.goto('/')
  })
})

test.describe('without a route', () => {
  test('passes: localhost is the machine’s own', async ({ page }) => {
    await page.goto('/')
    expect(await page.textContent('body')).toBe('bait')
  })
})
