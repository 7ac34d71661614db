// The packages as somebody without a compiler installs them: with each package manager, from a registry.
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { platforms, readManifest } from '../../scripts/packages/targets.mjs'
import { type Consumer, newConsumer } from './consumer.ts'
import { type Registry, startRegistry } from './registry.ts'
import { expectRequests, type Origin, startOrigin } from './requests.ts'

const { version } = readManifest()
let registry: Registry
let origin: Origin
let consumer: Consumer

beforeAll(async () => {
  registry = await startRegistry(inject('tarballs'))
  origin = await startOrigin()
})

beforeEach(() => {
  consumer = newConsumer(registry.url)
  registry.fetched.length = 0
})

afterEach(() => consumer.remove())

afterAll(async () => {
  await registry?.close()
  await origin?.close()
})

const own = (): string => {
  const names = registry.fetched.filter((name) => name.startsWith('@tabport/'))
  expect(names, 'one platform package, and no other, is fetched').toHaveLength(1)
  return names[0]!
}

test('npm installs it, and it serves', async () => {
  await consumer.manager('npm', 'install', 'tabport')
  await expectRequests(consumer, origin)
  expect(own()).toContain(`${process.platform}-${process.arch}`)
})

test('pnpm installs it, and it serves', async () => {
  await consumer.manager('pnpm', 'add', 'tabport')
  await expectRequests(consumer, origin)
  expect(own()).toContain(`${process.platform}-${process.arch}`)
})

test('yarn installs it into node_modules, and it serves', async () => {
  consumer.write('.yarnrc.yml', 'nodeLinker: node-modules\n')
  await consumer.manager('yarn', 'add', 'tabport')
  await expectRequests(consumer, origin)
  expect(own()).toContain(`${process.platform}-${process.arch}`)
})

test("yarn installs it for Plug'n'Play, and it serves", async () => {
  consumer.write('.yarnrc.yml', 'nodeLinker: pnp\npnpEnableEsmLoader: true\n')
  await consumer.manager('yarn', 'add', 'tabport')
  await expectRequests(
    consumer,
    origin,
    '--require',
    './.pnp.cjs',
    '--experimental-loader',
    './.pnp.loader.mjs',
    '--no-warnings',
  )
})

test('the package with every addon serves under the same name, and depends on nothing', async () => {
  await consumer.manager('npm', 'install', `tabport@npm:tabport-all@${version}`)
  await expectRequests(consumer, origin)
  expect(registry.fetched).toEqual(['tabport-all'])
})

test('without its platform package, an error names the platform and the commands that mend it', async () => {
  await consumer.manager('npm', 'install', 'tabport', '--omit=optional')
  consumer.write('load.cjs', "try { require('tabport') } catch ({ code, message }) { console.log(code, message) }")
  const { stdout } = await consumer.node('load.cjs')
  const name = platforms().find(({ os, cpu }) => os === process.platform && cpu === process.arch)!.name
  expect(stdout).toContain(`ERR_TABPORT_LOAD tabport cannot load its native addon for ${name}.`)
  const commands = stdout.match(/(?<=^ +npm ).+$/gm)!
  expect(commands).toEqual([
    `install --save-optional @tabport/${name}@${version}`,
    `install tabport@npm:tabport-all@${version}`,
  ])
  for (const line of commands) {
    const mended = newConsumer(registry.url)
    await mended.manager('npm', 'install', 'tabport', '--omit=optional')
    await mended.manager('npm', ...line.split(' '))
    mended.write('load.cjs', "console.log(typeof require('tabport').ProxyServer)")
    expect.soft((await mended.node('load.cjs')).output, line).toBe('function\n')
    mended.remove()
  }
})
