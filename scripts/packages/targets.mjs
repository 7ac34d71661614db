// What is built for whom: one platform for each target that package.json names, as npm, Rust and the binary call it.
import { readFileSync } from 'node:fs'
import { parseTriple } from '@napi-rs/cli'
import { inRoot } from '../lib/paths.mjs'

/** The oldest C library that the packages for glibc run on: RHEL 7's, which is older than any that Node 20 itself takes. */
export const GLIBC_FLOOR = '2.17'
/** The oldest macOS, as in Electron 9. */
export const MACOS_FLOOR = '10.13'

export const readManifest = () => JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))

/**
 * @typedef {object} Platform
 * @property {string} triple What Rust calls it.
 * @property {string} name What the package and the loader call it, such as `linux-x64-gnu`.
 * @property {string} os Node's `process.platform`.
 * @property {string} cpu Node's `process.arch`.
 * @property {'glibc' | 'musl' | undefined} libc The C library, on Linux.
 * @property {string} package The name of the package.
 * @property {string} binary The name of the addon's file.
 */

/**
 * Every platform that has a package.
 *
 * @returns {Platform[]}
 */
export function platforms() {
  const { napi } = readManifest()
  return napi.targets.map((triple) => {
    const { platformArchABI: name, platform: os, arch: cpu, abi } = parseTriple(triple)
    const libc = os === 'linux' ? (abi === 'musl' ? 'musl' : 'glibc') : undefined
    return { triple, name, os, cpu, libc, package: `@tabport/${name}`, binary: `${napi.binaryName}.${name}.node` }
  })
}

/** The platform that a Rust target or a package's name stands for. */
export function platformOf(name) {
  const found = platforms().find((platform) => [platform.triple, platform.name, platform.package].includes(name))
  if (!found)
    throw new Error(
      `There is no package for ${name}, only for ${platforms()
        .map((p) => p.triple)
        .join(', ')}.`,
    )
  return found
}
