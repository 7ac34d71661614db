import { existsSync } from 'node:fs'
import { findChromium } from '../../scripts/lib/chromium.mjs'

const CI = process.env.CI === 'true'
const CERTUTIL = '/usr/bin/certutil'

export { LOOPBACK_ONLY } from '../../scripts/lib/chromium.mjs'

/** The browser to test with. Without one: an error in CI, undefined (so that tests are skipped by name) elsewhere. */
export function chromiumPath(): string | undefined {
  const found = findChromium()
  if (!found && CI) throw new Error('Chromium is missing: run `npm run setup`, or name one in TABPORT_CHROMIUM')
  return found
}

/** What writes the certificates that Chromium on Linux trusts; elsewhere it asks the system. The same without it. */
export function certutilPath(): string | undefined {
  if (process.platform !== 'linux') return undefined
  if (existsSync(CERTUTIL)) return CERTUTIL
  if (CI) throw new Error('certutil is missing: run `npm run setup`')
  return undefined
}
