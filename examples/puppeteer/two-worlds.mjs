// One URL, two worlds, with Puppeteer: a browser context with a localhost of its own.
//
//     node two-worlds.mjs http://localhost:3000 http://127.18.0.1:{port} http://127.18.0.2:{port}
import puppeteer from 'puppeteer-core'
import { ProxyServer } from 'tabport'

const [url, ...upstreams] = process.argv.slice(2)

const proxy = await ProxyServer.listen()
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: process.env.CHROMIUM_ARGS?.split('\n'),
})

/** A page whose localhost leads to `upstream`. */
async function openPage(id, upstream) {
  const { username, password } = proxy.createContext(id, { upstream })
  const context = await browser.createBrowserContext({
    proxyServer: `http://127.0.0.1:${proxy.port()}`,
    proxyBypassList: ['<-loopback>'], // Chromium leaves loopback out of any proxy unless it is told not to.
  })
  const page = await context.newPage()
  await page.authenticate({ username, password })
  return page
}

try {
  for (const [id, upstream] of upstreams.entries()) {
    const page = await openPage(id, upstream)
    await page.goto(url)
    await page.waitForFunction('seen.api && seen.messages.length > 0')
    const seen = await page.evaluate(() => [document.querySelector('h1').textContent, ...globalThis.seen.messages])
    console.log(`${page.url()} is ${seen.join(', ')}`)
  }
} finally {
  await browser.close()
  await proxy.stop()
}
