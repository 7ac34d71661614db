// The authority's key never leaves the addon: nothing that JavaScript or a client gets of a proxy holds it, in any
// spelling. The process that is searched has not read the key itself.
import { spawn } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ProxyServer } from 'tabport'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder } from './support/https.ts'
import { within } from './support/poll.ts'

const PROGRAM = fileURLToPath(new URL('./support/programs/shows-heap.cjs', import.meta.url))
const KEY = /-----BEGIN PRIVATE KEY-----([^-]*)-----END PRIVATE KEY-----/

/** The key in every form in which it could be somewhere: whole, as lines of PEM, and the secret number alone. */
function spellings(pem: string): string[] {
  const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' })
  const number = Buffer.from(d, 'base64url')
  const lines = KEY.exec(pem)?.[1]?.trim().split('\n') ?? expect.unreachable()
  const encoded = [d, number.toString('base64').replace('=', ''), number.toString('hex'), number.toString('latin1')]
  return [
    ...encoded,
    encoded[2]?.toUpperCase() ?? '',
    [...number].join(),
    JSON.stringify(encoded[3]).slice(1, -1),
    ...lines,
  ]
}

test('the key of the authority is nowhere in what JavaScript sees: objects, events, errors, bytes, the heap', async () => {
  const directory = join(temporaryFolder(), 'kept')
  const proxy = await ProxyServer.listen({ certificates: { directory } })
  const { fingerprint } = proxy.certificateAuthority()
  await proxy.stop()
  const child = spawn(process.execPath, [PROGRAM, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const printed = Buffer.concat(await within('the heap', child.stdout.toArray(), 15_000))
  // What is there to be found is found: the search is not in vain.
  for (const known of [
    fingerprint,
    'did not complete the TLS handshake',
    'ERR_TABPORT_CERTIFICATE',
    'HTTP/1.1 502',
    'BEGIN CERTIFICATE',
  ]) {
    expect(printed.includes(known), known).toBe(true)
  }
  for (const secret of spellings(KEY.exec(readFileSync(join(directory, 'authority.pem'), 'utf8'))?.[0] ?? '')) {
    expect(secret.length).toBeGreaterThan(20)
    expect(printed.includes(secret, 0, 'latin1') || printed.includes(secret), 'the key').toBe(false)
  }
})
