import { existsSync } from 'node:fs'

const CI = process.env.CI === 'true'
const CERTUTIL = '/usr/bin/certutil'
const USUAL = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Nothing but loopback may be reached by a browser under test. */
export const LOOPBACK_ONLY = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1'

/** The browser to test with. Without one: an error in CI, undefined (so that tests are skipped by name) elsewhere. */
export function chromiumPath(): string | undefined {
  const named = process.env.TABPORT_CHROMIUM
  const found = (named ? [named] : USUAL).find((path) => existsSync(path))
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
