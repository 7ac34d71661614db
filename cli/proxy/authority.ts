// The authority that clients have to trust, as a file that they can be pointed at. It holds the certificate alone: the
// file that the proxy keeps in the same folder holds the key, too, and is nobody else's to read.
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Certificate } from 'tabport'

export interface AuthorityFile {
  /** In PEM. */
  path: string
  /** `sha256/` and a hash, of the certificate. */
  fingerprint: string
  /** The hash of its key, as Chromium's `--ignore-certificate-errors-spki-list` takes it. */
  spki: string
}

/** Writes the file: into `directory`, or else into a folder that ends with the process, however that does. */
export function writeAuthority({ pem, fingerprint }: Certificate, directory?: string): AuthorityFile {
  const folder = directory ? resolve(directory) : mkdtempSync(join(tmpdir(), 'tabport-'))
  const path = join(folder, 'certificate.pem')
  writeFileSync(path, pem)
  if (!directory) process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return { path, fingerprint, spki: keyHash(pem) }
}

function keyHash(pem: string): string {
  const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(key).digest('base64')
}
