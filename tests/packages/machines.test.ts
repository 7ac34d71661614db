// The packages on the Linux machines that this one is not: npm there picks the addon by processor and C library, and it
// serves. What is skipped here for want of a machine or of its addon is an error in CI.
import { cpSync, existsSync } from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { findMachine, isHost, machineNames } from '../../scripts/packages/machines.mjs'
import { tarballName } from '../../scripts/packages/pack.mjs'
import { platformOf, readManifest } from '../../scripts/packages/targets.mjs'
import { type Consumer, newConsumer } from './consumer.ts'
import { type Registry, startRegistry } from './registry.ts'
import { expectRequests, type Origin, startOrigin } from './requests.ts'

const CI = process.env.CI === 'true'
const { version } = readManifest()
let registry: Registry
let origin: Origin

// An emulated npm takes twenty seconds, and a busy machine three times that.
vi.setConfig({ testTimeout: 240_000 })

beforeAll(async () => {
  registry = await startRegistry(inject('tarballs'))
  origin = await startOrigin()
})

afterAll(async () => {
  await registry?.close()
  await origin?.close()
})

/** Why a platform cannot be tried here, or undefined. */
function missing(name: string): string | undefined {
  if (!isHost) return 'this is not Linux x64'
  const tarball = path.join(inject('tarballs'), tarballName(platformOf(name).package))
  const reason = existsSync(tarball) ? cannotHave(name) : 'its addon is not built: run `npm run packages`'
  if (reason && CI) throw new Error(`${name}: ${reason}`)
  return reason
}

const cannotHave = (name: string): string | undefined => (findMachine(name) ? undefined : 'its machine is not set up')

describe.each(machineNames)('on %s', (name) => {
  const reason = missing(name)
  const why = reason ? ` (skipped: ${reason})` : ''
  let consumer: Consumer

  beforeEach(() => {
    consumer = newConsumer(registry.url, findMachine(name))
    registry.fetched.length = 0
  })

  afterEach(() => consumer?.remove())

  test.skipIf(reason)(`npm installs its addon, and no other, and it serves${why}`, async () => {
    await consumer.manager('npm', 'install', 'tabport')
    expect(registry.fetched.toSorted()).toEqual([platformOf(name).package, 'tabport'])
    await expectRequests(consumer, origin)
  })

  test.skipIf(reason)(`an app that is packed here with every addon serves there${why}`, async () => {
    const here = newConsumer(registry.url)
    onTestFinished(() => here.remove())
    await here.manager('npm', 'install', `tabport@npm:tabport-all@${version}`)
    cpSync(here.folder, consumer.folder, { recursive: true })
    await expectRequests(consumer, origin)
  })
})
