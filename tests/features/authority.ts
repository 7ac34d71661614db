// What the rows about certificates know of an authority: its certificate, and the file that it is kept in.
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProxyServer } from 'tabport'
import { expect } from 'vitest'
import { fileOf } from '../support/https.ts'

export const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/

export const certificateOf = (proxy: ProxyServer) => new X509Certificate(proxy.certificateAuthority().pem)

export const filesIn = (folder: string) => readdirSync(folder, { recursive: true, encoding: 'utf8' })

/** The one file of a folder that an authority is kept in. */
export function keptIn(directory: string): string {
  const files = filesIn(directory)
  expect(files).toHaveLength(1)
  return join(directory, files[0] ?? '')
}

/** The key of the authority that is kept in a folder, as a file for openssl. */
export const keyIn = (directory: string) => fileOf(readFileSync(keptIn(directory), 'utf8').replace(CERTIFICATE, ''))
