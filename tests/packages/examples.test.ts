// The apps under `examples`, with the package installed as they ask for it, in the real Electron: each opens a page of a
// localhost that is a workspace's, and ends because that page closes its window.
import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { createPackageWithOptions } from '@electron/asar'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { findElectronBuilder } from '../../scripts/packages/electron-builder.mjs'
import { readManifest } from '../../scripts/packages/targets.mjs'
import { cannotRun, runScript, spawnElectron, title } from '../electron/harness/launch.ts'
import { type Consumer, newConsumer } from './consumer.ts'
import { type Registry, startRegistry } from './registry.ts'

const electron = process.env.TABPORT_ELECTRON ?? ''

interface Manifest {
  readonly dependencies: Record<string, string>
  readonly devDependencies: Record<string, string>
  readonly build: { readonly asarUnpack: string[] }
}

describe.skipIf(cannotRun)(title('the example for'), () => {
  let registry: Registry
  let origin: Server
  let consumer: Consumer
  let asked: string[]

  beforeAll(async () => {
    registry = await startRegistry(inject('tarballs'))
    origin = createServer(({ headers }, response) => {
      asked.push(headers.host!)
      response.setHeader('content-type', 'text/html').end('<script>window.close()</script>')
    })
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
  })

  beforeEach(() => {
    asked = []
    consumer = newConsumer(registry.url)
  })

  afterEach(() => consumer.remove())

  afterAll(async () => {
    await registry?.close()
    await new Promise((resolve) => origin?.close(resolve))
  })

  /** Installs what an example depends on; its tools are this repository's. */
  async function install(name: string): Promise<Manifest> {
    cpSync(inRoot('examples', name), consumer.folder, { recursive: true })
    const manifest: Manifest = JSON.parse(readFileSync(path.join(consumer.folder, 'package.json'), 'utf8'))
    const { devDependencies, ...rest } = manifest
    expect(manifest.dependencies).toEqual({ tabport: `^${readManifest().version}` })
    consumer.write('package.json', JSON.stringify(rest))
    await consumer.manager('npm', 'install')
    return manifest
  }

  const port = (): number => (origin.address() as AddressInfo).port
  const environment = (): Record<string, string> => ({
    UPSTREAM: 'http://127.0.0.1:{port}',
    URL: `http://localhost:${port()}/`,
  })

  /** The proxy names the upstream, and Chromium by itself would have said `localhost`. */
  const expectRouted = (code: number | null, output: string): void => {
    expect(output).not.toContain('Error')
    expect(asked[0]).toBe(`127.0.0.1:${port()}`)
    expect(code).toBe(0)
  }

  async function runApp(app: string): Promise<void> {
    const { code, stdout, stderr } = await runScript(app, environment())
    expectRouted(code, stdout + stderr.replaceAll(/^\[.*\n/gm, ''))
  }

  test('electron-builder runs, as it is and from an archive made as its configuration says', async () => {
    const { build } = await install('electron-builder')
    await runApp(consumer.folder)
    const archive = path.join(path.dirname(consumer.folder), 'resources', 'app.asar')
    asked = []
    await createPackageWithOptions(consumer.folder, archive, { unpack: build.asarUnpack[0] })
    expect(existsSync(path.join(`${archive}.unpacked`, 'node_modules', '@tabport'))).toBe(true)
    await runApp(archive)
  })

  test('Electron Forge runs, and names what leaves the addon outside of the archive', async () => {
    const { devDependencies } = await install('electron-forge')
    const config = createRequire(import.meta.url)(path.join(consumer.folder, 'forge.config.js'))
    expect(config.packagerConfig.asar).toBe(true)
    const named = [...config.makers, ...config.plugins].map(({ name }: { name: string }) => name)
    expect(named).toContain('@electron-forge/plugin-auto-unpack-natives')
    for (const name of named) expect.soft(devDependencies).toHaveProperty([name])
    await runApp(consumer.folder)
  })

  test('electron-vite is built with tabport outside of the bundle, and runs', async () => {
    await install('electron-vite')
    for (const name of ['electron', 'electron-vite']) {
      symlinkSync(inRoot('node_modules', name), path.join(consumer.folder, 'node_modules', name), 'junction')
    }
    const { status, output } = await consumer.node(inRoot('node_modules/electron-vite/bin/electron-vite.js'), 'build')
    expect(status, output).toBe(0)
    const bundle = readFileSync(path.join(consumer.folder, 'out/main/index.js'), 'utf8')
    expect(bundle).toContain('require("tabport/electron")')
    await runApp(consumer.folder)
  })

  /** A modern packager with an old Electron, which it copies as it is given: on Linux that is a plain folder. */
  const packable = process.platform === 'linux' && process.arch === 'x64'
  const why = packable ? '' : ' (skipped: this is not Linux x64)'
  // The packager comes with the packages that are made for the tests: by `npm run packages`, and by `npm test` in CI.
  if (!process.env.TABPORT_PACKAGES) return
  test.skipIf(!packable)(`electron-builder is packed by it, and runs${why}`, async () => {
    await install('electron-builder')
    const folder = path.dirname(electron)
    const version = readFileSync(path.join(folder, 'version'), 'utf8').replace('v', '')
    const given = [`-c.electronVersion=${version}`, `-c.electronDist=${folder}`, '-c.npmRebuild=false']
    const packed = await consumer.node(findElectronBuilder()!, '--dir', '--linux', '--x64', ...given)
    expect(packed.status, packed.output).toBe(0)
    const app = path.join(consumer.folder, 'dist', 'linux-unpacked')
    expect(existsSync(path.join(app, 'resources/app.asar.unpacked/node_modules/@tabport'))).toBe(true)
    const child = spawnElectron(undefined, environment(), path.join(app, 'tabport-example-electron-builder'))
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
    expectRouted(code, '')
  })
})
