// The drop-in of docs/HEADROOM-PROXY.md, by which a scripted proxy takes the socket that systemd keeps: systemd takes all of
// it.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/folder.ts'
import { canRun } from '../support/tools.ts'
import { read } from './documents.ts'

const dropIn = read('tests/docs/programs/socket.conf')
const hasSystemd = process.platform === 'linux' && canRun('systemd-analyze', '--version')

/** What systemd says of the scripted proxy's service, with this drop-in and the socket beside it. */
function analyze(text: string): string {
  const folder = temporaryFolder()
  const write = (name: string, content: string) => writeFileSync(path.join(folder, name), content)
  mkdirSync(path.join(folder, 'headroom.service.d'))
  write('headroom.service.d/socket.conf', text)
  write('headroom.service', '[Service]\nExecStart=/usr/bin/true\n')
  for (const unit of ['headroom-proxy.service', 'headroom-proxy.socket']) {
    write(unit, read(`deploy/headroom-proxy/${unit}`).replace('/usr/local/bin/headroom-proxy', '/usr/bin/true'))
  }
  const env = { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` }
  const args = ['verify', '--man=no', path.join(folder, 'headroom.service')]
  const { stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8', env })
  return `${stdout}${stderr}`
}

test.skipIf(!hasSystemd)('systemd takes the drop-in (skipped without systemd)', () => {
  expect(analyze(dropIn)).toBe('')
  expect(analyze(dropIn.replace('Sockets=', 'Socket='))).toContain("Unknown key 'Socket'")
})
