// What the image of headroom-proxy holds besides the program, and that nothing else is needed: it is all of a file system.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ca } from '../support/certificates.ts'
import { temporaryFolder } from '../support/folder.ts'
import { Headroom } from '../support/headroom.ts'
import { startTlsOrigin, text } from '../support/origin.ts'
import { canRun } from '../support/tools.ts'
import { DOORS, type Door, read } from './doors.ts'
import { isBuiltHere } from './gateway.ts'

const [, HEADROOM] = DOORS as [Door, Door]
const canUnshare = isBuiltHere && canRun('unshare', '--map-root-user', 'true')

/** Where the image has its certificates. */
const [, bundle = ''] = /^COPY --from=build \S+ \/(\S+\.crt)$/m.exec(read(HEADROOM, 'Dockerfile')) ?? []

function imageWith(certificates: string): string {
  const root = temporaryFolder()
  for (const file of ['etc/hosts', bundle]) mkdirSync(path.join(root, path.dirname(file)), { recursive: true })
  writeFileSync(path.join(root, 'etc', 'hosts'), '127.0.0.1 api.preview.test\n')
  writeFileSync(path.join(root, bundle), certificates)
  copyFileSync(HEADROOM.program, path.join(root, 'headroom-proxy'))
  return root
}

/** The status of an answer from an https upstream. */
async function askedIn(root: string): Promise<number> {
  const origin = await startTlsOrigin(text('from the upstream'))
  const flags = ['--listen=127.0.0.1:0', `--upstream=https://api.preview.test:${origin.port}`]
  const proxy = await Headroom.run(['unshare', '--map-root-user', `--root=${root}`, '/headroom-proxy', ...flags])
  return (await fetch(proxy.url())).status
}

test.skipIf(!canUnshare)(
  'an https upstream is vouched for by the certificates of the image (skipped without user namespaces)',
  async () => {
    expect(await askedIn(imageWith(ca))).toBe(200)
    expect(await askedIn(imageWith(''))).toBe(502)
  },
)
