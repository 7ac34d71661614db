// The packages as somebody without a compiler installs them: with each package manager, from a registry.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { platforms, readManifest } from '../../scripts/packages/targets.mjs'
import { type Consumer, newConsumer } from './consumer.ts'
import { type Registry, startRegistry } from './registry.ts'

const { version } = readManifest()
let registry: Registry
let origin: Server
let consumer: Consumer

beforeAll(async () => {
  registry = await startRegistry(inject('tarballs'))
  origin = createServer(({ headers }, response) => response.end(`origin saw ${headers.host}`))
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
})

beforeEach(() => {
  consumer = newConsumer(registry.url)
  registry.fetched.length = 0
})

afterEach(() => consumer.remove())

afterAll(async () => {
  await registry?.close()
  await new Promise((resolve) => origin.close(resolve))
})

const originPort = (): number => (origin.address() as AddressInfo).port

/** Sends one request through a proxy of a context with a route, and prints what the origin answered. */
const REQUEST = `
  const proxy = await ProxyServer.start('127.0.0.1:0', true)
  const { username, password } = proxy.createContext(1, { upstream: 'http://127.0.0.1:{port}' })
  const credentials = Buffer.from(username + ':' + password).toString('base64')
  const headers = { host: 'localhost:' + ORIGIN, 'proxy-authorization': 'Basic ' + credentials }
  const options = { port: proxy.port(), path: 'http://localhost:' + ORIGIN + '/', headers, agent: false }
  const answer = await new Promise((resolve, reject) => get(options, resolve).on('error', reject))
  let body = ''
  for await (const chunk of answer) body += chunk
  console.log(answer.statusCode, body, WIRING.slice(-9))
  await proxy.stop()
`

function writePrograms(): void {
  const origin = `const ORIGIN = ${originPort()}`
  const required = `const { get } = require('node:http'); const { ProxyServer } = require('tabport')
    const WIRING = require.resolve('tabport/electron')`
  const imported = `import { get } from 'node:http'; import { ProxyServer } from 'tabport'
    const WIRING = import.meta.resolve('tabport/electron')`
  consumer.write('require.cjs', `${required}\n${origin}\n;(async () => {${REQUEST}})()`)
  consumer.write('import.mjs', `${imported}\n${origin}\n${REQUEST}`)
}

/** The same, with both ways to load the package. */
async function expectRequests(...flags: string[]): Promise<void> {
  writePrograms()
  for (const [program, wiring] of [
    ['require.cjs', 'index.cjs'],
    ['import.mjs', 'index.mjs'],
  ]) {
    const { status, output } = await consumer.node(...flags, program!)
    expect.soft(output, program).toBe(`200 origin saw 127.0.0.1:${originPort()} ${wiring}\n`)
    expect.soft(status, program).toBe(0)
  }
}

const own = (): string => {
  const names = registry.fetched.filter((name) => name.startsWith('@tabport/'))
  expect(names, 'one platform package, and no other, is fetched').toHaveLength(1)
  return names[0]!
}

test('npm installs it, and it serves', async () => {
  await consumer.manager('npm', 'install', 'tabport')
  await expectRequests()
  expect(own()).toContain(`${process.platform}-${process.arch}`)
})

test('pnpm installs it, and it serves', async () => {
  await consumer.manager('pnpm', 'add', 'tabport')
  await expectRequests()
  expect(own()).toContain(`${process.platform}-${process.arch}`)
})

test('yarn installs it into node_modules, and it serves', async () => {
  consumer.write('.yarnrc.yml', 'nodeLinker: node-modules\n')
  await consumer.manager('yarn', 'add', 'tabport')
  await expectRequests()
  expect(own()).toContain(`${process.platform}-${process.arch}`)
})

test("yarn installs it for Plug'n'Play, and it serves", async () => {
  consumer.write('.yarnrc.yml', 'nodeLinker: pnp\npnpEnableEsmLoader: true\n')
  await consumer.manager('yarn', 'add', 'tabport')
  await expectRequests('--require', './.pnp.cjs', '--experimental-loader', './.pnp.loader.mjs', '--no-warnings')
})

test('the package with every addon serves under the same name, and depends on nothing', async () => {
  await consumer.manager('npm', 'install', `tabport@npm:tabport-all@${version}`)
  await expectRequests()
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
