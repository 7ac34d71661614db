// A Chromium with a home of its own, and in it the authorities that its user trusts: the certificate database that
// Chromium on Linux reads, which may grow while it runs. So every certificate is verified, its name and the constraints
// of its authority included; with errors ignored for a key (`--ignore-certificate-errors-spki-list`) nothing would be.
import { execFile } from 'node:child_process'
import { randomUUID, X509Certificate } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { certutilPath, chromiumPath } from '../support/requirements.ts'
import { launch } from './chromium.ts'

const run = promisify(execFile)
const certutil = certutilPath()
const executable = chromiumPath()

/** Whether tests with such a browser must be skipped. */
export const cannotTrust = !certutil || !executable

export interface TrustingBrowser {
  browser: Browser
  /** Trusts an authority, in PEM, from now on. */
  trust(authority: string): Promise<void>
}

/** For all tests of a file. */
export function useTrustingBrowser(): TrustingBrowser {
  const home = path.join(tmpdir(), `tabport-home-${randomUUID()}`)
  const database = path.join(home, '.pki', 'nssdb')
  const trusting = { trust: (authority: string) => add(database, authority) } as TrustingBrowser
  beforeAll(async () => {
    if (cannotTrust) return
    mkdirSync(database, { recursive: true })
    await run(certutil as string, ['-N', '-d', `sql:${database}`, '--empty-password'])
    trusting.browser = await launch(executable as string, { home })
  })
  afterAll(async () => {
    await trusting.browser?.close()
    rmSync(home, { recursive: true, force: true })
  })
  return trusting
}

async function add(database: string, authority: string): Promise<void> {
  const name = new X509Certificate(authority).fingerprint256
  const file = path.join(database, name)
  writeFileSync(file, authority)
  const args = ['-A', '-d', `sql:${database}`, '-n', name, '-t', 'C,,', '-i', file]
  await run(certutil as string, args)
}
