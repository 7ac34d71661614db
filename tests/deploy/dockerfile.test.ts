// The images: what hadolint has to say of their definitions, and that what they run is what the programs take.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { canRun } from '../support/tools.ts'
import { DOORS, type Door, fileOf, read } from './doors.ts'
import { Gateway, isBuiltHere, staticGateway } from './gateway.ts'
import { packages } from './packages.mjs'

const [CMUX] = DOORS as [Door]
const definition = read(CMUX, 'Dockerfile')
const hadolint = path.join(packages.folder, 'bin', 'hadolint')

function lint(text: string): string[] {
  const run = spawnSync(hadolint, ['--no-color', '--format', 'json', '-'], { input: text, encoding: 'utf8' })
  return JSON.parse(run.stdout).map(({ code }: { code: string }) => code)
}

/** The JSON form of an instruction's command. */
const command = (instruction: string): string[] =>
  JSON.parse(new RegExp(`^${instruction}.*?(\\[.*\\])$`, 'm').exec(definition)?.[1] ?? '')

const environment = (): Record<string, string> => {
  const [line] = /^ENV CMUX.*$/m.exec(definition) ?? ['']
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
})

test.skipIf(!isBuiltHere)('the probe of cmux-proxy gets an answer (skipped but on Linux)', async () => {
  const { CMUX_LISTEN = '', CMUX_ADMIN = '' } = environment()
  expect(definition).toMatch(new RegExp(`^EXPOSE ${CMUX_LISTEN.split(':')[1]}$`, 'm'))
  const [program, ...args] = command('ENTRYPOINT')
  const anyPort = (address: string) => address.replace(/:\d+$/, ':0')
  const env = { CMUX_LISTEN: anyPort(CMUX_LISTEN), CMUX_ADMIN: anyPort(CMUX_ADMIN) }
  const gateway = await Gateway.start(args, { env })

  const [probe, ...asked] = command('HEALTHCHECK')
  expect(probe).toBe(program)
  const ask = (port: number) =>
    spawnSync(staticGateway, asked, { env: { CMUX_ADMIN: CMUX_ADMIN.replace(/\d+$/, String(port)) } }).status
  expect(ask(gateway.port('admin'))).toBe(0)
  expect(ask(gateway.port('listening'))).toBe(1)
})
