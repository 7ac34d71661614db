// A real Chromium, a browser context per tab, each behind its own credentials.
import { type Browser, chromium, type Page } from 'playwright-core'
import type { ProxyContextInfo, ProxyServer } from 'tabport'
import { onTestFinished } from 'vitest'
import { LOOPBACK_ONLY } from '../support/requirements.ts'

const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-gpu', '--no-first-run']

export function launch(executablePath: string): Promise<Browser> {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return chromium.launch({ executablePath, args: [LOOPBACK_ONLY, ...QUIET, ...sandbox] })
}

/** A tab of its own browser context, all of whose traffic goes through the proxy with these credentials. */
export async function openTab(browser: Browser, proxy: ProxyServer, context: ProxyContextInfo): Promise<Page> {
  const { username, password } = context
  const server = `http://127.0.0.1:${proxy.port()}`
  const tab = await browser.newContext({ proxy: { server, username, password } })
  onTestFinished(() => tab.close())
  return tab.newPage()
}
