// What `tabport doctor` says of the authority, with real certificates and clocks that are wrong.
import { ProxyServer } from 'tabport'
import { beforeAll, describe, expect, test } from 'vitest'
import { checkTrust } from '../../cli/doctor/trust.ts'
import { type Faults, machine } from './machine.ts'

const BROKEN = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

describe('trust', () => {
  let pem: string
  beforeAll(async () => {
    const proxy = await ProxyServer.listen()
    pem = proxy.certificateAuthority().pem
    await proxy.stop()
  })
  const kept = () => ({ '/ca/authority.pem': `a line\n${pem}-----BEGIN PRIVATE KEY-----\nhunter2\n` })
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000)
  const check = (faults: Faults, directory?: string) => checkTrust(machine({ now: new Date(), ...faults }), directory)

  test('one that is kept', async () => {
    const [finding] = await check({ files: kept() }, '/ca')
    expect(finding).toMatchObject({ level: 'ok', message: expect.stringContaining('is kept in /ca') })
    expect(finding?.message).not.toContain('hunter2')
  })

  test('one that would be made', async () => {
    const tryAddon = async () => ({ loaded: true, authority: pem })
    expect(await check({ tryAddon })).toMatchObject([{ level: 'ok', message: expect.stringContaining('anew') }])
  })

  test('a folder that is not there yet', async () => {
    expect(await check({}, '/ca')).toMatchObject([{ level: 'ok', message: expect.stringContaining('does not exist') }])
  })

  test.each([
    ['a folder that others may enter', { mode: () => 0o755 }, 'problem', 'others may enter /ca'],
    ['a clock that is slow', { now: inDays(-400) }, 'problem', 'before the authority began'],
    ['one that ends soon', { now: inDays(5 * 365 - 10) }, 'note', 'ends in'],
    ['one that has ended', { now: inDays(6 * 365) }, 'note', 'has ended'],
    ['a file that holds none', { files: { '/ca/authority.pem': 'nothing' } }, 'note', 'holds no authority'],
    ['a file that is broken', { files: { '/ca/authority.pem': BROKEN } }, 'note', 'holds no authority'],
  ])('%s', async (_, faults, level, message) => {
    expect(await check({ files: kept(), ...faults }, '/ca')).toEqual([
      { about: 'trust', level, message: expect.stringContaining(message), remedy: expect.stringMatching(/\w/) },
    ])
  })

  test('a new one, too, needs a clock that is right', async () => {
    const tryAddon = async () => ({ loaded: true, authority: pem })
    expect(await check({ tryAddon, now: inDays(-400) })).toContainEqual(expect.objectContaining({ level: 'problem' }))
  })
})
