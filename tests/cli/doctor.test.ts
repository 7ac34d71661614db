// Every check of `tabport doctor`, on a machine where all is well and on one with a fault; and the whole of it here.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { checkAddon, checkNode } from '../../cli/doctor/addon.ts'
import { checkChromium, checkElectron } from '../../cli/doctor/browsers.ts'
import type { Finding } from '../../cli/doctor/finding.ts'
import { checkName, checkPorts } from '../../cli/doctor/loopback.ts'
import { thisMachine } from '../../cli/doctor/machine.ts'
import { checkPolicies } from '../../cli/doctor/policies.ts'
import { checkVariables, checkVpn } from '../../cli/doctor/proxies.ts'
import { runCommand } from '../support/command.ts'
import { startRawOrigin } from '../support/origin.ts'
import { type Faults, machine } from './machine.ts'

const loadError = (platform: string) =>
  Object.assign(new Error('tabport cannot load its native addon.\n- more'), { code: 'ERR_TABPORT_LOAD', platform })

const ELECTRON = '/app/node_modules/electron/dist/electron'
const VERSIONS = `${ELECTRON} -e process.stdout.write(process.versions.electron + " " + process.versions.chrome)`
const electron = { '/app/node_modules/electron/path.txt': 'electron', [ELECTRON]: '' }
const POLICY = '/etc/chromium/policies/managed/proxy.json'
const CHROME = '/Library/Managed Preferences/com.google.Chrome'

type Check = (faults?: Faults) => Promise<Finding[]>
const node: Check = async (faults) => checkNode(machine(faults))
const addon: Check = (faults) => checkAddon(machine(faults), '1.2.3')
const name: Check = (faults) => checkName(machine(faults))
const ports: Check = (faults) => checkPorts(machine(faults))
const variables: Check = async (faults) => checkVariables(machine(faults))
const vpn: Check = async (faults) => checkVpn(machine(faults))
const policies: Check = (faults) => checkPolicies(machine(faults))
const electrons: Check = (faults) => checkElectron(machine(faults))
const chromiums: Check = (faults) => checkChromium(machine(faults))

test.each([
  ['node', node, {}],
  ['addon', addon, {}],
  ['localhost', name, {}],
  ['ports', ports, {}],
  ['variables', variables, {}],
  ['variables with NO_PROXY for others', variables, { env: { NO_PROXY: 'intern.example' } }],
  ['VPN', vpn, {}],
  ['policies', policies, {}],
  ['policies of other things', policies, { files: { [POLICY]: '{"HomepageLocation": "https://site.example"}' } }],
  ['no Electron', electrons, {}],
  ['an Electron', electrons, { files: electron, prints: { [VERSIONS]: '9.4.1 83.0.4103.122' } }],
  ['no Chromium', chromiums, {}],
  ['a Chromium', chromiums, { files: { '/usr/bin/chromium': '' }, prints: { '/usr/bin/chromium --version': 'C 156' } }],
] as [string, Check, Faults][])('all is well: %s', async (_, check, faults) => {
  const findings = await check(faults)
  expect(findings.length).toBeGreaterThan(0)
  for (const finding of findings)
    expect(finding).toEqual({ about: expect.any(String), level: 'ok', message: expect.any(String) })
})

test.each([
  ['an old Node', node, { node: '18.20.0' }, 'problem', '18.20.0', 'Node 20'],
  [
    'no addon',
    addon,
    { tryAddon: async () => ({ loaded: false, error: loadError('linux-arm64-musl') }) },
    'problem',
    'cannot load its native addon.',
    'npm install @tabport/linux-arm64-musl@1.2.3',
  ],
  [
    'an addon that does not serve',
    addon,
    { tryAddon: async () => ({ loaded: true, error: new Error('EACCES') }) },
    'problem',
    'does not serve: EACCES',
    'firewall',
  ],
  [
    'localhost elsewhere',
    name,
    { lookup: async () => ['127.0.0.1', '192.0.2.7'] },
    'problem',
    'resolves to 192.0.2.7',
    '/etc/hosts',
  ],
  ['localhost nowhere', name, { lookup: async () => [] }, 'problem', 'nothing', '127.0.0.1 localhost'],
  [
    'localhost nowhere, on Windows',
    name,
    { platform: 'win32', lookup: async () => [] },
    'problem',
    'nothing',
    'drivers\\etc\\hosts',
  ],
  [
    'no IPv4 loopback',
    ports,
    { bind: async (host: string) => (host === '127.0.0.1' ? 'EACCES' : undefined) },
    'problem',
    '127.0.0.1 cannot be listened on: EACCES',
    'sandbox',
  ],
  [
    'no IPv6 loopback',
    ports,
    { bind: async (host: string) => (host === '::1' ? 'EADDRNOTAVAIL' : undefined) },
    'note',
    '::1 cannot be listened on: EADDRNOTAVAIL',
    'dev server',
  ],
  [
    'no free port',
    ports,
    { bind: async (_: string, port: number) => (port > 0 ? 'EADDRINUSE' : undefined) },
    'problem',
    '39385 to 39434',
    '--listen 0',
  ],
  [
    'a proxy',
    variables,
    { env: { HTTPS_PROXY: 'http://user:hunter2@proxy.example' } },
    'note',
    'HTTPS_PROXY is set',
    'upstreamProxy',
  ],
  [
    'proxies in small letters',
    variables,
    { env: { http_proxy: 'x', all_proxy: 'x' } },
    'note',
    'http_proxy and all_proxy are set',
    '--upstream-proxy',
  ],
  [
    'NO_PROXY for localhost',
    variables,
    { env: { NO_PROXY: 'a.example, localhost' } },
    'note',
    'NO_PROXY names localhost',
    "--noproxy ''",
  ],
  ['a VPN', vpn, { interfaces: ['lo', 'utun3', 'wg0'] }, 'note', 'utun3, wg0', 'without it'],
  [
    'a policy on Linux',
    policies,
    { files: { [POLICY]: '{"ProxyMode": "direct"}' } },
    'note',
    `${POLICY} sets ProxyMode`,
    'administers',
  ],
  [
    'a policy on macOS',
    policies,
    { platform: 'darwin', prints: { [`defaults read ${CHROME}`]: '{ ProxyPacUrl = "http://x"; }' } },
    'note',
    'com.google.Chrome sets ProxyPacUrl',
    'Electron',
  ],
  [
    'a policy on Windows',
    policies,
    { platform: 'win32', prints: { 'reg query HKLM\\Software\\Policies\\Microsoft\\Edge': 'ProxySettings REG_SZ {}' } },
    'note',
    'Edge sets ProxySettings',
    'Electron',
  ],
  [
    'an old Electron',
    electrons,
    { files: electron, prints: { [VERSIONS]: '8.5.5 80.0.3987.165' } },
    'problem',
    '8.5.5',
    'Electron 9',
  ],
  ['an Electron that does not start', electrons, { files: electron }, 'problem', 'does not start', 'run it'],
  [
    'an Electron that is not there',
    electrons,
    { env: { TABPORT_ELECTRON: '/no' } },
    'problem',
    'TABPORT_ELECTRON',
    'unset',
  ],
  [
    'an Electron without its binary',
    electrons,
    { files: { '/app/node_modules/electron/package.json': '{"version":"39.2.0"}' } },
    'note',
    '39.2.0',
    'install.js',
  ],
  [
    'a Chromium that is not there',
    chromiums,
    { env: { TABPORT_CHROMIUM: '/no' } },
    'problem',
    'TABPORT_CHROMIUM',
    'unset',
  ],
] as [string, Check, Faults, string, string, string][])('%s', async (_, check, faults, level, message, remedy) => {
  const bad = (await check(faults)).filter((finding) => finding.level !== 'ok')
  expect(bad).toEqual([
    {
      about: expect.any(String),
      level,
      message: expect.stringContaining(message),
      remedy: expect.stringContaining(remedy),
    },
  ])
  expect(JSON.stringify(bad)).not.toContain('hunter2')
})

describe('this machine', () => {
  test('is told of as it is', async () => {
    const here = thisMachine()
    const { port } = await startRawOrigin((socket) => socket.end())
    expect(await here.bind('127.0.0.1', port)).toBe('EADDRINUSE')
    expect(await here.bind('127.0.0.1', 0)).toBeUndefined()
    expect(await here.lookup('localhost')).toContain('127.0.0.1')
    expect(await here.lookup('no.such.name.invalid')).toEqual([])
    expect(await here.run(process.execPath, ['-p', 'process.env.X'], { X: '7' })).toBe('7\n')
    expect(await here.run(process.execPath, ['-e', 'process.exit(3)'])).toBeUndefined()
    expect([here.read('/no'), here.list('/no'), here.mode('/no')]).toEqual([undefined, [], undefined])
    expect(await here.tryAddon()).toMatchObject({ loaded: true, authority: expect.stringContaining('CERTIFICATE') })
  })

  test('is well, and says so in text and in JSON', async () => {
    const env = { TABPORT_ELECTRON: '' }
    const { code, stdout } = await runCommand(['doctor'], { env })
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^✓ system .*\n✓ addon .*its proxy answers\n(?:.*\n)*Nothing stands in the way\.\n$/),
    ])
    const json = JSON.parse((await runCommand(['doctor', '--json'], { env })).stdout)
    expect(json).toMatchObject({
      healthy: true,
      findings: expect.arrayContaining([expect.objectContaining({ about: 'trust' })]),
    })
  })

  test('without an addon that loads: exit code 1, and the other checks go on', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tabport-cli-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = path.join(folder, 'broken.node')
    writeFileSync(file, 'no library')
    const env = { TABPORT_ELECTRON: '', TABPORT_NATIVE_LIBRARY_PATH: file }
    const { code, stdout } = await runCommand(['doctor'], { env })
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/\n✗ addon .*\n +→ .*\n✓ localhost (?:.*\n)*1 problem\.\n$/),
    ])
    for (const args of [
      ['proxy', '--route', 'direct'],
      ['demo', '--in', 'node'],
    ]) {
      const other = await runCommand(args, { env })
      expect(other).toMatchObject({ code: 1, stdout: '' })
      expect(other.stderr).toMatch(/^tabport cannot load .*\n- .*\n`tabport doctor` tells more\.\n$/)
    }
  })
})
