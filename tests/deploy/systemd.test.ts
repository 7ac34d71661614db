// The unit: systemd takes all of it, finds it well enclosed, and what it starts is what the program takes.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { canRun } from '../support/tools.ts'
import { Gateway, isBuiltHere, staticGateway } from './gateway.ts'

const unit = readFileSync(inRoot('deploy', 'cmux-proxy', 'cmux-proxy.service'), 'utf8')
/** Of 100, by systemd's own measure: what a service without any of it has is 96. */
const MOST_EXPOSED = 15

const hasSystemd = isBuiltHere && canRun('systemd-analyze', '--version')

function folder(): string {
  const made = mkdtempSync(path.join(os.tmpdir(), 'cmux-proxy-'))
  onTestFinished(() => rmSync(made, { recursive: true }))
  return made
}

/** What systemd says of a unit, and whether it is content. */
function analyze(text: string, ...verb: string[]): { said: string; isContent: boolean } {
  const file = path.join(folder(), 'cmux-proxy.service')
  writeFileSync(file, text.replace('/usr/local/bin/cmux-proxy', staticGateway))
  const { status, stdout, stderr } = spawnSync('systemd-analyze', [...verb, file], { encoding: 'utf8' })
  return { said: `${stdout}${stderr}`, isContent: status === 0 }
}

const lines = (key: string) => [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value)

test.skipIf(!hasSystemd)('systemd understands all of it (skipped without systemd)', () => {
  const verify = (text: string) => analyze(text, 'verify', '--man=no')
  expect(verify(unit)).toEqual({ said: '', isContent: true })
  expect(verify(unit.replace('ProtectHome', 'ProtectHomes')).said).toContain('ProtectHomes')
  expect(verify(unit.replace('ExecStart=', 'ExecStart=/nowhere')).isContent).toBe(false)
})

test.skipIf(!hasSystemd)('it is exposed to little (skipped without systemd)', () => {
  const verb = ['security', '--offline=true', `--threshold=${MOST_EXPOSED}`, '--no-pager']
  const { said, isContent } = analyze(unit, ...verb)
  expect(isContent, said).toBe(true)
  const open = unit.replace(/^(Protect|Restrict|Private|SystemCall|Capability).*\n/gm, '')
  expect(analyze(open, ...verb).isContent).toBe(false)
})

test.skipIf(!isBuiltHere)('what it starts asks for the token that it is given (skipped but on Linux)', async () => {
  const [started = ''] = lines('ExecStart')
  const [program, ...args] = started.split(' ')
  expect(program).toBe('/usr/local/bin/cmux-proxy')
  const [name = ''] = lines('LoadCredential').map((credential) => credential.split(':')[0])
  const credentials = folder()
  writeFileSync(path.join(credentials, name), 'a-token\n')

  const allowed = lines('SocketBindAllow')
  expect(allowed).toEqual(['ipv4:tcp:39379', 'ipv4:tcp:39380'])
  expect(started).toMatch(/--admin=127\.0\.0\.1:39380$/)
  const given = args.map((argument) => argument.replace('%d', credentials).replace(/:\d+$/, ':0'))
  const gateway = await Gateway.start([...given, '--listen=127.0.0.1:0'])
  const get = (headers: Record<string, string>) => gateway.get('listening', '/', headers)
  expect(await get({})).toMatchObject({ status: 407 })
  expect(await get({ 'proxy-authorization': 'Bearer a-token' })).toMatchObject({ status: 400 })
  expect(await gateway.get('admin', '/healthz')).toMatchObject({ status: 200 })
})

test.skipIf(!isBuiltHere)('it is given the time that it asks for (skipped but on Linux)', () => {
  const help = spawnSync(staticGateway, ['--help'], { encoding: 'utf8' }).stdout
  const [, seconds] = /--graceful-shutdown-timeout[\s\S]*?\[default: (\d+)s\]/.exec(help) ?? []
  expect(Number(lines('TimeoutStopSec')[0])).toBeGreaterThan(Number(seconds))
})
