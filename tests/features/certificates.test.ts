// The row about the authority: what it can sign for, how long it lives, and where it is kept.
import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ProxyServer } from 'tabport'
import { expect, onTestFinished, test } from 'vitest'
import { fileOf, openssl, temporaryFolder } from '../support/https.ts'
import { within } from '../support/poll.ts'
import { startProxy } from '../support/proxy.ts'
import { CERTIFICATE, certificateOf, filesIn, keptIn, keyIn } from './authority.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

/** Starts a proxy with such an authority, says what it is, and stops it. */
async function fingerprintOf(certificates?: object): Promise<string> {
  const proxy = await ProxyServer.listen({ certificates })
  const { fingerprint } = proxy.certificateAuthority()
  await proxy.stop()
  return fingerprint
}

test('row 48, CA storage, name constraints, rotation: what the authority may sign for, and for how long', async () => {
  const proxy = await startProxy({ certificates: { names: ['preview.test', '10.0.0.5', 'fd00::1'] } })
  const { printed } = await openssl('x509', '-in', fileOf(proxy.certificateAuthority().pem), '-noout', '-text')
  const constraints = /X509v3 Name Constraints: critical\s+Permitted:\s+((?: {14,}\S.*\n)+)/.exec(printed)?.[1] ?? ''
  expect(constraints.trim().split(/\s*\n\s*/)).toEqual([
    ...['DNS:localhost', 'IP:127.0.0.0/255.0.0.0'],
    'IP:0:0:0:0:0:0:0:1/FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF',
    ...['DNS:preview.test', 'IP:10.0.0.5/255.255.255.255'],
    'IP:FD00:0:0:0:0:0:0:1/FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF',
  ])
  expect(printed).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0\n/)
  expect(printed).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/)
  expect(printed).toContain('ASN1 OID: prime256v1')
  const authority = certificateOf(proxy)
  expect(authority.subject).toMatch(/^CN=tabport [0-9a-f]{8}$/)
  expect([authority.ca, authority.checkIssued(authority)]).toEqual([true, true])
  const [from, to] = [Date.parse(authority.validFrom), Date.parse(authority.validTo)]
  expect(from < Date.now() && to > Date.now() + 365 * DAY_MS).toBe(true)
})

test('row 48, CA storage, name constraints, rotation: the fingerprint is that of the DER, and another each time', async () => {
  const proxies = [await startProxy(), await startProxy()]
  const [one, other] = proxies.map((proxy) => {
    const { fingerprint256, subject } = certificateOf(proxy)
    const { fingerprint } = proxy.certificateAuthority()
    const hash = Buffer.from(fingerprint256.replaceAll(':', ''), 'hex')
    expect(fingerprint).toBe(`sha256/${hash.toString('base64')}`)
    return { fingerprint, subject }
  })
  expect(one?.fingerprint).not.toBe(other?.fingerprint)
  expect(one?.subject).not.toBe(other?.subject)
})

/** Starts a proxy in another process, whose every folder is this one, and answers inside a tunnel. */
async function startElsewhere(folder: string, certificates = {}): Promise<string> {
  const program = `
    const { ProxyServer } = require(${JSON.stringify(here('../../index.js'))})
    ProxyServer.listen({ secure: true, certificates: ${JSON.stringify(certificates)} }).then(async (proxy) => {
      process.stdout.write(proxy.certificateAuthority().fingerprint)
      await proxy.stop()
    })`
  const env = { PATH: process.env.PATH, HOME: folder, TMPDIR: folder, XDG_CONFIG_HOME: folder, XDG_CACHE_HOME: folder }
  const child = spawn(process.execPath, ['-e', program], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const printed = child.stdout.setEncoding('utf8').toArray()
  onTestFinished(() => void child.kill('SIGKILL'))
  return (await within('its end', printed, 15_000)).join('')
}

test('row 48, CA storage, name constraints, rotation: in memory only, unless there is a folder for it', async () => {
  const folder = temporaryFolder()
  expect(await startElsewhere(folder)).toMatch(/^sha256\//)
  expect(filesIn(folder)).toEqual([])
  await startElsewhere(folder, { directory: 'kept' })
  expect(filesIn(folder)).toContain('kept')
})

test.runIf(process.platform !== 'win32')(
  'row 48, CA storage, name constraints, rotation: key 0600, folder 0700, whatever the umask is',
  async () => {
    const before = process.umask(0)
    onTestFinished(() => void process.umask(before))
    const directory = join(temporaryFolder(), 'a', 'b')
    await fingerprintOf({ directory })
    expect([modeOf(directory), modeOf(keptIn(directory))]).toEqual(['700', '600'])
    expect(readFileSync(keptIn(directory), 'utf8')).toContain('PRIVATE KEY')
  },
)

test('row 48, CA storage, name constraints, rotation: the same after a restart, another for other names', async () => {
  const directory = join(temporaryFolder(), 'kept')
  const first = await fingerprintOf({ directory })
  expect(await fingerprintOf({ directory })).toBe(first)
  const others = await fingerprintOf({ directory, names: ['preview.test'] })
  expect(others).not.toBe(first)
  expect(await fingerprintOf({ directory, names: ['preview.test'] })).toBe(others)
})

test('row 48, CA storage, name constraints, rotation: several that start at once agree', async () => {
  const folder = temporaryFolder()
  const certificates = { directory: join(folder, 'kept') }
  const starts = [startElsewhere(folder, certificates), startElsewhere(folder, certificates)]
  const all = await Promise.all([...starts, fingerprintOf(certificates), fingerprintOf(certificates)])
  expect(new Set(all).size).toBe(1)
  expect(all[0]).toMatch(/^sha256\//)
})

test('row 48, CA storage, name constraints, rotation: an expired one is made anew, and so is what is none', async () => {
  const directory = join(temporaryFolder(), 'kept')
  const first = await fingerprintOf({ directory })
  const file = keptIn(directory)
  const [stored, key, request] = [readFileSync(file, 'utf8'), keyIn(directory), join(temporaryFolder(), 'request')]
  const { subject } = new X509Certificate(CERTIFICATE.exec(stored)?.[0] ?? '')
  await openssl('req', '-new', '-key', key, '-subj', `/${subject}`, '-out', request)
  const { printed } = await openssl('x509', '-req', '-in', request, '-signkey', key, '-days', '-1')
  const expired = CERTIFICATE.exec(printed)?.[0] ?? ''
  expect(Date.parse(new X509Certificate(expired).validTo)).toBeLessThan(Date.now())
  const seen = new Set([first])
  for (const content of [stored.replace(CERTIFICATE, expired), stored.slice(0, -40), '', 'garbage']) {
    writeFileSync(file, content)
    const proxy = await startProxy({ certificates: { directory } })
    seen.add(proxy.certificateAuthority().fingerprint)
    expect(Date.parse(certificateOf(proxy).validTo)).toBeGreaterThan(Date.now())
    await proxy.stop()
    expect(await fingerprintOf({ directory }), 'and it is kept').toBe(proxy.certificateAuthority().fingerprint)
  }
  expect(seen.size).toBe(5)
})

const HOLD = `
import fcntl, select, sys
file = open(sys.argv[1], 'r+')
fcntl.flock(file, fcntl.LOCK_EX)
print('held', flush=True)
select.select([sys.stdin], [], [], 8)
`

test.runIf(process.platform === 'linux')(
  'row 48, CA storage, name constraints, rotation: whatever takes long is not done on the JavaScript thread',
  async () => {
    const directory = join(temporaryFolder(), 'kept')
    const fingerprint = await fingerprintOf({ directory })
    const holder = spawn('python3', ['-c', HOLD, keptIn(directory)], { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void holder.kill('SIGKILL'))
    await within('the lock', once(holder.stdout, 'data'))
    let started = false
    const starting = startProxy({ certificates: { directory } }).finally(() => {
      started = true
    })
    for (let turns = 0; turns < 1_000; turns += 1) await turn()
    expect([started, holder.exitCode]).toEqual([false, null])
    holder.stdin.end()
    expect((await within('the start', starting)).certificateAuthority().fingerprint).toBe(fingerprint)
  },
)
