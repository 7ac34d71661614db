// Which Chromium the tests and the bench start, and what keeps it on this machine.
import { existsSync } from 'node:fs'

const USUAL = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Nothing but loopback may be reached by a browser that is tested or measured with. */
export const LOOPBACK_ONLY = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1'

/** The one that `TABPORT_CHROMIUM` names, or else the system's; undefined where there is none. */
export function findChromium() {
  const named = process.env.TABPORT_CHROMIUM
  return (named ? [named] : USUAL).find((path) => existsSync(path))
}
