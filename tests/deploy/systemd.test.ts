// The units: systemd takes all of them, finds them well enclosed, and what they start is what the programs take.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../support/folder.ts'
import { Headroom } from '../support/headroom.ts'
import { ownAddress } from '../support/loopback.ts'
import { startOrigin, text } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { canRun } from '../support/tools.ts'
import { DOORS, type Door, read, settings } from './doors.ts'
import { Gateway, isBuiltHere } from './gateway.ts'

/** Of 100, by systemd's own measure: what a service without any of it has is 96. */
const MOST_EXPOSED = 15

const [CMUX] = DOORS as [Door]
const hasSystemd = isBuiltHere && canRun('systemd-analyze', '--version')

/** What systemd says of a door's units, once they are changed like this, and whether it is content. */
function analyze(door: Door, change: (service: string) => string, ...verb: string[]) {
  const folder = temporaryFolder()
  for (const unit of door.units) {
    const text = read(door, unit).replace(`/usr/local/bin/${door.name}`, door.program)
    writeFileSync(path.join(folder, unit), unit.endsWith('.service') ? change(text) : text)
  }
  const service = path.join(folder, `${door.name}.service`)
  const { status, stdout, stderr } = spawnSync('systemd-analyze', [...verb, service], { encoding: 'utf8' })
  return { said: `${stdout}${stderr}`, isContent: status === 0 }
}

const unchanged = (service: string) => service

describe.each(DOORS.map((door) => [door.name, door] as const))('%s', (_, door) => {
  test.skipIf(!hasSystemd)('systemd understands all of it (skipped without systemd)', () => {
    const verify = (change: (service: string) => string) => analyze(door, change, 'verify', '--man=no')
    expect(verify(unchanged)).toEqual({ said: '', isContent: true })
    expect(verify((it) => it.replace('ProtectHome', 'ProtectHomes')).said).toContain('ProtectHomes')
    expect(verify((it) => it.replace('ExecStart=', 'ExecStart=/nowhere')).isContent).toBe(false)
  })

  test.skipIf(!hasSystemd)('it is exposed to little (skipped without systemd)', () => {
    const verb = ['security', '--offline=true', `--threshold=${MOST_EXPOSED}`, '--no-pager']
    const { said, isContent } = analyze(door, unchanged, ...verb)
    expect(isContent, said).toBe(true)
    const open = (it: string) => it.replace(/^(Protect|Restrict|Private|SystemCall|Capability).*\n/gm, '')
    expect(analyze(door, open, ...verb).isContent).toBe(false)
  })

  test.skipIf(!isBuiltHere)('it is given the time that it asks for (skipped but on Linux)', () => {
    const help = spawnSync(door.program, ['--help'], { encoding: 'utf8' }).stdout
    const [, seconds] = /--graceful-shutdown-timeout[\s\S]*?\[default: (\d+)s\]/.exec(help) ?? []
    expect(Number(settings(door, 'TimeoutStopSec')[0])).toBeGreaterThan(Number(seconds))
  })
})

test('both are enclosed alike, but for the ports that one opens itself', () => {
  const [one, other] = DOORS.map((door) => {
    const service = read(door, `${door.name}.service`)
    return /^DynamicUser=[\s\S]*?(?=\n\n)/m.exec(service)?.[0].replace(/^SocketBindAllow=.*\n/gm, '')
  })
  expect(one).toContain('SystemCallFilter')
  expect(other).toBe(one)
})

test.skipIf(!isBuiltHere)(
  'what starts cmux-proxy asks for the token that it is given (skipped but on Linux)',
  async () => {
    const [started = ''] = settings(CMUX, 'ExecStart')
    const [program, ...args] = started.split(' ')
    expect(program).toBe('/usr/local/bin/cmux-proxy')
    const [name = ''] = settings(CMUX, 'LoadCredential').map((credential) => credential.split(':')[0])
    const credentials = temporaryFolder()
    writeFileSync(path.join(credentials, name), 'a-token\n')

    const allowed = settings(CMUX, 'SocketBindAllow')
    expect(allowed).toEqual(['ipv4:tcp:39379', 'ipv4:tcp:39380', 'udp'])
    expect(started).toMatch(/--admin=127\.0\.0\.1:39380$/)
    const given = args.map((argument) => argument.replace('%d', credentials).replace(/:\d+$/, ':0'))
    const gateway = await Gateway.start([...given, '--listen=127.0.0.1:0'])
    const get = (headers: Record<string, string>) => gateway.get('listening', '/', headers)
    expect(await get({})).toMatchObject({ status: 407 })
    expect(await get({ 'proxy-authorization': 'Bearer a-token' })).toMatchObject({ status: 400 })
    expect(await gateway.get('admin', '/healthz')).toMatchObject({ status: 200 })
  },
)

const canActivate = isBuiltHere && canRun('systemd-socket-activate', '--version')

test.skipIf(!canActivate)(
  'headroom-proxy listens on the socket that systemd holds (skipped without systemd)',
  async () => {
    const [, door] = DOORS as [Door, Door]
    const [program, ...args] = settings(door, 'ExecStart').join().split(' ')
    expect(program).toBe('/usr/local/bin/headroom-proxy')
    expect(settings(door, 'Sockets')).toEqual(['headroom-proxy.socket'])
    expect(read(door, 'headroom-proxy.socket')).toMatch(/^ListenStream=0\.0\.0\.0:8787$/m)
    const origin = await startOrigin(text('from the upstream'))
    const address = `${ownAddress()}:8787`
    const environment = [...settings(door, 'Environment'), `HEADROOM_PROXY_UPSTREAM=http://127.0.0.1:${origin.port}`]
    const handed = environment.map((assignment) => `--setenv=${assignment}`)
    const activate = ['systemd-socket-activate', `--listen=${address}`, ...handed, door.program, ...args]

    const asked = until('an answer', () => fetch(`http://${address}`).catch(() => undefined))
    const proxy = await Headroom.run(activate, { PATH: process.env.PATH ?? '' })
    expect(proxy.address()).toBe(address)
    expect(await (await asked).text()).toBe('from the upstream')
  },
)
