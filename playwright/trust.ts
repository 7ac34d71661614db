// Which certificates Chromium accepts in a test: those of the proxy's authority, told by its key. The key is another
// in every worker and leaves with it, so that nothing has to be installed in the user's system, and errors of any
// other certificate remain errors.
import { createHash, X509Certificate } from 'node:crypto'
import type { Certificate } from 'tabport'

/** The argument that has Chromium accept what this authority has signed. */
export function trustArgument({ pem }: Certificate): string {
  const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })
  return `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`
}
