// Every addon is looked at before it is packed. `binaries` has one tiny library for each format, linked by Zig from one C
// function; the tests make it wrong in one place, and it must be refused for that.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inspect, newestGlibc, violations } from '../../scripts/packages/check.mjs'
import { platformOf } from '../../scripts/packages/targets.mjs'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'tabport-binaries-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

const sample = (name: string): string => fileURLToPath(new URL(`binaries/${name}.bin`, import.meta.url))

/** A copy of a library with some bytes changed, each text for one of the same length. */
function changed(name: string, changes: [find: string | Buffer, put: string | Buffer][]): string {
  const bytes = readFileSync(sample(name))
  for (const [find, put] of changes) {
    const at = bytes.indexOf(find)
    expect(at, `${find} is in ${name}`).toBeGreaterThanOrEqual(0)
    expect(put).toHaveLength(find.length)
    bytes.set(Buffer.from(put), at)
  }
  const file = path.join(folder, `${name}-changed.bin`)
  writeFileSync(file, bytes)
  return file
}

const violationsOf = (file: string, platform: string): string[] => violations(inspect(file), platformOf(platform))

test('each format says its architecture and the libraries it needs', () => {
  expect(inspect(sample('linux-arm64-gnu'))).toMatchObject({ format: 'ELF', arch: 'arm64', libraries: ['libc.so.6'] })
  expect(inspect(sample('linux-x64-musl'))).toMatchObject({ format: 'ELF', arch: 'x64', libraries: ['libc.so'] })
  const system = ['/usr/lib/libSystem.B.dylib']
  expect(inspect(sample('darwin-x64'))).toMatchObject({ format: 'Mach-O', arch: 'x64', libraries: system })
  expect(inspect(sample('windows-x64'))).toMatchObject({ format: 'PE', arch: 'x64', libraries: ['KERNEL32.dll'] })
  expect(newestGlibc(inspect(sample('linux-arm64-gnu')))).toBe('2.17')
})

test('a library that runs where its package is installed is let through', () => {
  expect(violationsOf(sample('linux-arm64-gnu'), 'linux-arm64-gnu')).toEqual([])
  expect(violationsOf(sample('linux-x64-musl'), 'linux-x64-musl')).toEqual([])
  expect(violationsOf(sample('windows-x64'), 'win32-x64-msvc')).toEqual([])
})

test('a newer C library is refused', () => {
  const newer = changed('linux-arm64-gnu', [['GLIBC_2.17', 'GLIBC_2.34']])
  expect(violationsOf(newer, 'linux-arm64-gnu')).toEqual(['it needs GLIBC_2.34'])
  const older = changed('linux-arm64-gnu', [['GLIBC_2.17', 'GLIBC_2.5\0']])
  expect(violationsOf(older, 'linux-arm64-gnu'), '2.5 is older than 2.17').toEqual([])
})

test('a library that not every system has is refused', () => {
  const odd = changed('linux-arm64-gnu', [['libc.so.6', 'libz.so.1']])
  expect(violationsOf(odd, 'linux-arm64-gnu')).toEqual(['it needs libz.so.1'])
  const runtime = changed('windows-x64', [['KERNEL32.dll', 'MSVCP140.dll']])
  expect(violationsOf(runtime, 'win32-x64-msvc')).toEqual(['it needs MSVCP140.dll'])
  const brewed = changed('darwin-x64', [['/usr/lib/libSystem', '/opt/lib/libSystem']])
  expect(violationsOf(brewed, 'darwin-x64')).toContain('it needs /opt/lib/libSystem.B.dylib')
})

test("glibc's libraries are refused where musl is, and the other way round", () => {
  expect(violationsOf(sample('linux-x64-musl'), 'linux-x64-gnu')).toEqual(['it needs libc.so'])
  expect(violationsOf(sample('linux-arm64-gnu'), 'linux-arm64-musl')).toEqual([
    'it needs libc.so.6',
    'it needs GLIBC_2.17, and musl has none',
  ])
})

test('another architecture or system is refused', () => {
  expect(violationsOf(sample('linux-arm64-gnu'), 'linux-x64-gnu')).toEqual(['it is for arm64, not x64'])
  expect(violationsOf(sample('windows-x64'), 'win32-arm64-msvc')).toEqual(['it is for x64, not arm64'])
  expect(violationsOf(sample('windows-x64'), 'darwin-x64')).toEqual(['it is a PE file, not Mach-O'])
  expect(() => inspect(fileURLToPath(import.meta.url))).toThrow('neither ELF nor Mach-O nor PE')
})

// LC_BUILD_VERSION, 32 bytes, for macOS, and its oldest version in nibbles.
const MACOS_13 = Buffer.from('32000000' + '20000000' + '01000000' + '00000d00', 'hex')
const MACOS_10_13 = Buffer.from('32000000' + '20000000' + '01000000' + '000d0a00', 'hex')

test('a newer macOS is refused', () => {
  expect(violationsOf(sample('darwin-x64'), 'darwin-x64')).toEqual(['it needs macOS 13.0, not 10.13'])
  const older = changed('darwin-x64', [[MACOS_13, MACOS_10_13]])
  expect(violationsOf(older, 'darwin-x64')).toEqual([])
})
