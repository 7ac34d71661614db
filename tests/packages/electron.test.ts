// An app that has installed the package and is shipped as an archive runs in the real Electron, from that archive alone.
import { cpSync, existsSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createPackageWithOptions } from '@electron/asar'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { cannotRun, runScript, title } from '../electron/harness/launch.ts'
import { type Consumer, newConsumer } from './consumer.ts'
import { type Registry, startRegistry } from './registry.ts'

interface Report {
  readonly process: string
  readonly text: string
  readonly addons: string[]
  readonly inArchive: boolean
}

describe.skipIf(cannotRun)(title('a packed app'), () => {
  let registry: Registry
  let origin: Server
  let consumer: Consumer

  beforeAll(async () => {
    registry = await startRegistry(inject('tarballs'))
    origin = createServer((_, response) => response.end('from the origin'))
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
    consumer = newConsumer(registry.url)
    cpSync(fileURLToPath(new URL('apps/packed', import.meta.url)), consumer.folder, { recursive: true })
    await consumer.manager('npm', 'install', 'tabport')
  })

  afterAll(async () => {
    consumer?.remove()
    await registry?.close()
    await new Promise((resolve) => origin?.close(resolve))
  })

  /** Packs the app, takes away what it was packed from, and gives what its two processes report. */
  async function runPacked(
    name: string,
    options: { unpack?: string },
  ): Promise<{ reports: Report[]; resources: string }> {
    const resources = path.join(path.dirname(consumer.folder), name)
    await createPackageWithOptions(consumer.folder, path.join(resources, 'app.asar'), options)
    const aside = `${consumer.folder}-aside`
    cpSync(consumer.folder, aside, { recursive: true })
    rmSync(consumer.folder, { recursive: true })
    const env = { ORIGIN_PORT: String((origin.address() as AddressInfo).port) }
    const { stdout, stderr } = await runScript(path.join(resources, 'app.asar'), env)
    cpSync(aside, consumer.folder, { recursive: true })
    rmSync(aside, { recursive: true })
    const reports = stdout.split('\n').filter((line) => line.startsWith('{'))
    expect(reports, stderr).toHaveLength(2)
    return { reports: reports.map((line) => JSON.parse(line)), resources }
  }

  test('serves a tab of its main process, and a forked one, with the addon beside the archive', async () => {
    const { reports, resources } = await runPacked('unpacked', { unpack: '*.node' })
    const unpacked = path.join(resources, 'app.asar.unpacked', 'node_modules', '@tabport')
    expect(existsSync(unpacked)).toBe(true)
    for (const name of ['main', 'helper']) {
      const report = reports.find(({ process }) => process === name)!
      expect.soft(report).toMatchObject({ text: 'from the origin', inArchive: true })
      expect.soft(report.addons).toHaveLength(1)
      expect.soft(report.addons[0], name).toContain(unpacked)
    }
  })

  test('would load a copy from the temporary folder if the addon were left in the archive', async () => {
    const { reports, resources } = await runPacked('inside', {})
    for (const { text, addons } of reports) {
      expect.soft(text).toBe('from the origin')
      expect.soft(addons.join()).not.toContain(resources)
    }
  })
})
