// The images: what hadolint has to say of their definitions, and that what they run is what the programs take.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { Headroom } from '../support/headroom.ts'
import { canRun } from '../support/tools.ts'
import { DOORS, type Door, fileOf, read } from './doors.ts'
import { Gateway, isBuiltHere, staticGateway } from './gateway.ts'
import { packages } from './packages.mjs'

const [CMUX, HEADROOM] = DOORS as [Door, Door]
const hadolint = path.join(packages.folder, 'bin', 'hadolint')

function lint(text: string): string[] {
  const run = spawnSync(hadolint, ['--no-color', '--format', 'json', '-'], { input: text, encoding: 'utf8' })
  return JSON.parse(run.stdout).map(({ code }: { code: string }) => code)
}

/** The JSON form of an instruction's command. */
const command = (definition: string, instruction: string): string[] =>
  JSON.parse(new RegExp(`^${instruction}.*?(\\[.*\\])$`, 'm').exec(definition)?.[1] ?? '')

const environment = (definition: string): Record<string, string> => {
  const [line] = /^ENV [CH]\w+_LISTEN=.*$/m.exec(definition) ?? ['']
  return Object.fromEntries([...line.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))
}

describe.each(DOORS.map((door) => [door.name, door] as const))('%s', (_, door) => {
  const definition = read(door, 'Dockerfile')

  test.skipIf(!canRun(hadolint, '--version'))('hadolint has nothing to say (skipped without hadolint)', () => {
    expect(lint(definition)).toEqual([])
    expect(lint(definition.replace('rust:1.95.0-slim-bookworm', 'rust'))).toEqual(['DL3006'])
  })

  test('it builds with a Rust that is new enough, from what is there and let through', () => {
    const [, version] = /^FROM rust:(\d+\.\d+)\./m.exec(definition) ?? []
    const [, oldest] = /^rust-version = "1\.(\d+)"/m.exec(readFileSync(inRoot('Cargo.toml'), 'utf8')) ?? []
    expect(Number(version?.split('.')[1])).toBeGreaterThanOrEqual(Number(oldest))
    const copied = [...definition.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, files = '']) => files.split(' '))
    const ignored = readFileSync(`${fileOf(door, 'Dockerfile')}.dockerignore`, 'utf8')
    expect(copied).toContain('native')
    for (const file of copied) {
      expect.soft(existsSync(inRoot(file)), file).toBe(true)
      expect.soft(ignored, file).toContain(`!${file}\n`)
    }
  })

  test('it builds this program, and runs it as nobody', () => {
    expect(definition).toContain(` --package ${door.name} `)
    expect(definition).toMatch(/^FROM scratch$/m)
    expect(definition).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m)
    expect(definition).toContain(`COPY --from=build /${door.name} /${door.name}\n`)
    expect(definition).toMatch(new RegExp(`^ENTRYPOINT \\["/${door.name}"\\]$`, 'm'))
  })

  test('it says where it listens, and asks itself how it is', () => {
    const [address = ''] = Object.values(environment(definition))
    expect(address).toMatch(/^0\.0\.0\.0:\d+$/)
    expect(definition).toMatch(new RegExp(`^EXPOSE ${address.split(':')[1]}$`, 'm'))
    expect(command(definition, 'HEALTHCHECK')).toEqual([`/${door.name}`, 'health'])
    const times = DOORS.map((other) => /^HEALTHCHECK (.*) CMD/m.exec(read(other, 'Dockerfile'))?.[1])
    expect(new Set(times).size).toBe(1)
  })
})

test.skipIf(!isBuiltHere)('the probe of cmux-proxy gets an answer (skipped but on Linux)', async () => {
  const definition = read(CMUX, 'Dockerfile')
  const { CMUX_LISTEN = '', CMUX_ADMIN = '' } = environment(definition)
  const [, ...args] = command(definition, 'ENTRYPOINT')
  const anyPort = (address: string) => address.replace(/:\d+$/, ':0')
  const env = { CMUX_LISTEN: anyPort(CMUX_LISTEN), CMUX_ADMIN: anyPort(CMUX_ADMIN) }
  const gateway = await Gateway.start(args, { env })

  const [, ...asked] = command(definition, 'HEALTHCHECK')
  const ask = (port: number) =>
    spawnSync(staticGateway, asked, { env: { CMUX_ADMIN: CMUX_ADMIN.replace(/\d+$/, String(port)) } }).status
  expect(ask(gateway.port('admin'))).toBe(0)
  expect(ask(gateway.port('listening'))).toBe(1)
})

test.skipIf(!isBuiltHere)('the probe of headroom-proxy gets an answer (skipped but on Linux)', async () => {
  const definition = read(HEADROOM, 'Dockerfile')
  const { HEADROOM_PROXY_LISTEN = '' } = environment(definition)
  const [, ...asked] = command(definition, 'HEALTHCHECK')
  const env = (port?: string) => ({
    HEADROOM_PROXY_LISTEN: HEADROOM_PROXY_LISTEN.replace(/\d+$/, port ?? '0'),
    HEADROOM_PROXY_UPSTREAM: 'http://127.0.0.1:1',
  })
  const proxy = await Headroom.run([HEADROOM.program], env())
  const port = proxy.address()?.split(':').at(-1)
  const ask = () => spawnSync(HEADROOM.program, asked, { env: env(port) }).status
  expect(ask()).toBe(0)
  expect(await proxy.end()).toBe(0)
  expect(ask()).toBe(1)
})
