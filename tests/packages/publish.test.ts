// A release goes to a registry on loopback, by the real npm: in which order, under which channel, and what a second run does.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { inRoot } from '../../scripts/lib/paths.mjs'

const ALL = ['@tabport/here', '@tabport/there', 'tabport-all', 'tabport']

interface Document {
  readonly versions: Record<string, object>
  readonly 'dist-tags': Record<string, string>
}

interface Registry {
  readonly url: string
  readonly published: Map<string, Document>
  /** Names that it takes nothing of. */
  readonly refuses: Set<string>
}

let folder: string

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'tabport-release-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
})

/** Takes what npm publishes, once, and shows it a little later; the root only when what it depends on is shown. */
async function startRegistry(): Promise<Registry> {
  const published = new Map<string, Document>()
  const [refuses, late] = [new Set<string>(), new Set<string>()]
  const server = createServer(async (request, response) => {
    const name = decodeURIComponent(request.url!.slice(1).split('?')[0]!)
    if (request.method === 'PUT') {
      const early = name === 'tabport' && late.has('@tabport/there')
      const refused = early || refuses.has(name) || published.has(name)
      const body = await text(request)
      if (refused) return response.writeHead(403).end('{}')
      published.set(name, JSON.parse(body))
      late.add(name)
      return response.writeHead(201).end('{}')
    }
    const found = late.delete(name) ? undefined : published.get(name)
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(found ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, published, refuses }
}

/** A package with no more than its manifest. */
function pack(name: string, manifest: object): void {
  const staging = path.join(folder, 'staging')
  mkdirSync(path.join(staging, 'package'), { recursive: true })
  writeFileSync(path.join(staging, 'package', 'package.json'), JSON.stringify({ name, ...manifest }))
  const file = `${name.replace('@', '').replace('/', '-')}.tgz`
  const { status } = spawnSync('tar', ['-czf', path.join(folder, file), '-C', staging, 'package'])
  expect(status).toBe(0)
}

function packAll(version: string, names = ALL): void {
  const access = { publishConfig: { access: 'public' } }
  const optionalDependencies = { '@tabport/here': version, '@tabport/there': version }
  for (const name of names) pack(name, { version, ...access, ...(name === 'tabport' && { optionalDependencies }) })
}

/** As the workflow does it: the folder's name is all of its path. */
async function publish({ url }: Registry, tag: string): Promise<{ status: number; output: string }> {
  const config = path.join(folder, 'npmrc')
  writeFileSync(config, `registry=${url}\n${url.slice(5)}:_authToken=none\n`)
  const env = {
    ...process.env,
    npm_config_userconfig: config,
    npm_config_registry: url,
    npm_config_cache: path.join(folder, 'cache'),
    npm_config_update_notifier: 'false',
  }
  const [cwd, name] = [path.dirname(folder), path.basename(folder)]
  const child = spawn(process.execPath, [inRoot('scripts', 'publish.mjs'), name, tag], { cwd, env })
  const [out, errors, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number>((resolve) => child.once('close', resolve)),
  ])
  return { status, output: out + errors }
}

test('the root package is published last, under `latest`', async () => {
  const registry = await startRegistry()
  packAll('1.2.3')
  const { status, output } = await publish(registry, 'v1.2.3')
  expect(status, output).toBe(0)
  expect([...registry.published.keys()]).toEqual(ALL)
  for (const [name, document] of registry.published) {
    expect.soft(document['dist-tags'], name).toEqual({ latest: '1.2.3' })
  }
})

test('a run that broke off is taken up again, but not with other contents; a version with a dash is under `next`', async () => {
  const registry = await startRegistry()
  packAll('1.2.3-rc.1')
  registry.refuses.add('@tabport/there')
  expect((await publish(registry, 'v1.2.3-rc.1')).status).toBe(1)
  expect([...registry.published.keys()], 'nobody sees a release before it is whole').toEqual(['@tabport/here'])
  registry.refuses.clear()
  await fetch(`${registry.url}@tabport%2Fhere`) // By now it is shown.

  const [tarball, aside] = ['tabport-here.tgz', 'aside'].map((name) => path.join(folder, name)) as [string, string]
  renameSync(tarball, aside)
  pack('@tabport/here', { version: '1.2.3-rc.1', description: 'built anew' })
  const other = await publish(registry, 'v1.2.3-rc.1')
  expect(other.output).toContain('@tabport/here@1.2.3-rc.1 is published with other contents.')
  expect(other.status).toBe(1)

  renameSync(aside, tarball)
  const { status, output } = await publish(registry, 'v1.2.3-rc.1')
  expect(status, output).toBe(0)
  expect([...registry.published.keys()]).toEqual(ALL)
  expect(registry.published.get('tabport')!['dist-tags']).toEqual({ next: '1.2.3-rc.1' })
})

test('nothing is published of a release that is not whole, or not of the version of its tag', async () => {
  const registry = await startRegistry()
  packAll('1.2.3', ['@tabport/here', 'tabport'])
  const { status, output } = await publish(registry, 'v1.2.4')
  expect(output.match(/(?<=^- ).+$/gm)).toEqual([
    '@tabport/here is 1.2.3, and the tag v1.2.4',
    'tabport is 1.2.3, and the tag v1.2.4',
    'tabport asks for @tabport/there@1.2.3, which is not here',
    'tabport-all is not here',
  ])
  expect(status).toBe(1)
  expect(registry.published.size).toBe(0)
})
