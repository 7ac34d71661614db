/**
 * Whether a binary runs wherever its package can be installed: architecture, needed libraries, and the oldest system.
 * What decides is the file itself, never how it was meant to be built.
 */
import { readFileSync } from 'node:fs'
import { isElf, readElf } from './elf.mjs'
import { isMachO, readMachO } from './mach-o.mjs'
import { isPe, readPe } from './pe.mjs'
import { GLIBC_FLOOR, MACOS_FLOOR } from './targets.mjs'

/** The parts of glibc, and the unwinder of GCC, which every distribution installs with it. */
const GLIBC = /^(lib(c|m|dl|rt|pthread|gcc_s)\.so\.\d|ld-linux-(x86-64|aarch64)\.so\.\d)$/
const MUSL = /^(libc\.so|libc\.musl-\w+\.so\.1)$/
const MACOS = /^\/(usr\/lib|System\/Library\/Frameworks)\//
/** Not part of Windows: it comes with other programs, or does not. */
const REDISTRIBUTABLE = /^(vcruntime|msvcp|libnode|node\.exe)/i
const OLDEST_ARM_MACOS = '11.0'

/**
 * @typedef {object} Binary
 * @property {string} format
 * @property {string} arch By Node's name.
 * @property {string[]} libraries
 * @property {string[]} [versions] ELF: versions of symbols.
 * @property {string} [oldest] Mach-O: the oldest macOS.
 */

/**
 * What a file says about itself.
 *
 * @param {string} file
 * @returns {Binary}
 */
export function inspect(file) {
  const bytes = readFileSync(file)
  if (isElf(bytes)) return { format: 'ELF', ...readElf(bytes) }
  if (isMachO(bytes)) return { format: 'Mach-O', ...readMachO(bytes) }
  if (isPe(bytes)) return { format: 'PE', ...readPe(bytes) }
  throw new Error(`${file} is neither ELF nor Mach-O nor PE.`)
}

/**
 * Every reason why a binary must not be in a platform's package, in words; none if it may.
 *
 * @param {Binary} binary
 * @param {import('./targets.mjs').Platform} platform
 * @returns {string[]}
 */
export function violations(binary, platform) {
  const { format, rules } = RULES[platform.os]
  if (binary.format !== format) return [`it is a ${binary.format} file, not ${format}`]
  const arch = binary.arch === platform.cpu ? [] : [`it is for ${binary.arch}, not ${platform.cpu}`]
  return [...arch, ...rules(binary, platform)]
}

/**
 * The newest version of the C library that a binary asks for, or undefined.
 *
 * @param {Binary} binary
 */
export function newestGlibc({ versions = [] }) {
  const glibc = versions.filter((version) => version.startsWith('GLIBC_')).map((version) => version.slice(6))
  return glibc.sort(compareVersions).at(-1)
}

const RULES = {
  linux: { format: 'ELF', rules: (binary, { libc }) => (libc === 'musl' ? musl(binary) : glibc(binary)) },
  darwin: { format: 'Mach-O', rules: macos },
  win32: { format: 'PE', rules: windows },
}

function glibc(binary) {
  const tooNew = binary.versions.filter((version) => !isOldGlibc(version)).map((version) => `it needs ${version}`)
  return [...foreign(binary.libraries, GLIBC), ...tooNew]
}

/** `GLIBC_PRIVATE`, too, is no version that one may rely on. */
function isOldGlibc(version) {
  if (!version.startsWith('GLIBC_')) return true
  const number = version.slice(6)
  return /^[\d.]+$/.test(number) && compareVersions(number, GLIBC_FLOOR) <= 0
}

function musl(binary) {
  const versions = binary.versions.filter((version) => version.startsWith('GLIBC_'))
  return [...foreign(binary.libraries, MUSL), ...versions.map((version) => `it needs ${version}, and musl has none`)]
}

function macos(binary, { cpu }) {
  const floor = cpu === 'arm64' ? OLDEST_ARM_MACOS : MACOS_FLOOR
  const { oldest } = binary
  const tooNew = oldest === undefined || compareVersions(oldest, floor) > 0
  return [...foreign(binary.libraries, MACOS), ...(tooNew ? [`it needs macOS ${oldest}, not ${floor}`] : [])]
}

function windows({ libraries }) {
  return libraries.filter((name) => REDISTRIBUTABLE.test(name)).map((name) => `it needs ${name}`)
}

function foreign(libraries, allowed) {
  return libraries.filter((name) => !allowed.test(name)).map((name) => `it needs ${name}`)
}

function compareVersions(one, other) {
  const [left, right] = [one, other].map((version) => version.split('.').map(Number))
  for (let part = 0; part < Math.max(left.length, right.length); part += 1) {
    const difference = (left[part] ?? 0) - (right[part] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
