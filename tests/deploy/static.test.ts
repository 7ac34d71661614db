// `cmux-proxy` as one file: it needs nothing of the system it runs on, and little of its memory.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startOrigin } from '../support/origin.ts'
import { canRun } from '../support/tools.ts'
import { Gateway, isBuiltHere, staticGateway } from './gateway.ts'

const MOST_MEMORY_MIB = 10

const readelf = (option: string, file: string) =>
  spawnSync('readelf', [option, '-W', file], { encoding: 'utf8' }).stdout

/** A folder with the file and nothing else, to be the whole file system. */
function bareRoot(hosts: string): string {
  const root = mkdtempSync(path.join(os.tmpdir(), 'cmux-proxy-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  mkdirSync(path.join(root, 'etc'))
  writeFileSync(path.join(root, 'etc', 'hosts'), hosts)
  copyFileSync(staticGateway, path.join(root, 'cmux-proxy'))
  return root
}

test.skipIf(!isBuiltHere)('it names no loader and no library (skipped but on Linux)', () => {
  expect(readelf('--program-headers', staticGateway)).toContain('LOAD')
  expect(readelf('--program-headers', staticGateway)).not.toContain('INTERP')
  expect(readelf('--dynamic', staticGateway)).not.toContain('(NEEDED)')
  expect(readelf('--program-headers', process.execPath)).toContain('INTERP')
})

const canUnshare = isBuiltHere && canRun('unshare', '--map-root-user', 'true')

test.skipIf(!canUnshare)('it serves where there is no other file (skipped without user namespaces)', async () => {
  const root = bareRoot('127.0.0.1 rebound.ws.test\n')
  const command = ['unshare', '--map-root-user', `--root=${root}`, '/cmux-proxy']
  const origin = await startOrigin()
  const args = ['--listen=127.0.0.1:0', '--upstream-host=127.0.0.1', '--workspace-host={workspace}.ws.test']
  const gateway = await Gateway.start(args, { command })
  const routing = { 'x-cmux-port-internal': String(origin.port) }
  expect(await gateway.get('listening', '/', routing)).toMatchObject({ status: 200 })
  const rebound = await gateway.get('listening', '/', { ...routing, 'x-cmux-workspace-internal': 'rebound' })
  expect(rebound.status).toBe(403)
  expect(rebound.headers['proxy-status']).toContain('destination_ip_prohibited')
})

test.skipIf(!isBuiltHere)(
  `with nothing to do it has less than ${MOST_MEMORY_MIB} MiB (skipped but on Linux)`,
  async () => {
    const gateway = await Gateway.start(['--listen=127.0.0.1:0', '--admin=127.0.0.1:0'])
    const origin = await startOrigin()
    const routing = { 'x-cmux-port-internal': String(origin.port) }
    for (let request = 0; request < 100; request += 1) await gateway.get('listening', '/', routing)
    expect((await gateway.get('admin', '/metrics')).body).toContain('cmux_proxy_requests_total 100')
    expect(gateway.memory()).toBeLessThan(MOST_MEMORY_MIB)
    expect(await gateway.end()).toBe(0)
  },
)
