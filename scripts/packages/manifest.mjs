/**
 * The package.json of each package, made from the repository's.
 *
 * The repository's own names no platform packages: their versions are there only once they are published, and `npm ci`
 * would look for them before. So they are written into the root package when it is packed, each in the very version.
 */
import { platforms, readManifest } from './targets.mjs'

/** Beside every addon: what the crates in it ask for. See licences.mjs. */
export const THIRD_PARTY = 'THIRD-PARTY-LICENSES.txt'
/** What only the repository needs. */
const OWN = ['devDependencies', 'napi', 'overrides', 'scripts']

/** `tabport`: everything but the addon, which comes as one of the platform packages. */
export function rootManifest() {
  const { version } = readManifest()
  const optionalDependencies = Object.fromEntries(platforms().map((platform) => [platform.package, version]))
  return { ...published(), optionalDependencies }
}

/** `tabport-all`: the same, with the addon of every platform that `binaries` names. */
export function fatManifest(binaries) {
  const { description, files, ...manifest } = published()
  return {
    ...manifest,
    name: 'tabport-all',
    description: `${description} With the native addon of every platform, for apps packed on one for others.`,
    files: [...files, ...binaries, THIRD_PARTY],
  }
}

/** `@tabport/<platform>`: one addon, which package managers install where it runs. */
export function platformManifest({ name, os, cpu, libc, binary, package: packageName }) {
  const { version, license, author, repository, homepage, bugs, engines } = readManifest()
  return {
    name: packageName,
    version,
    description: `The native addon of tabport for ${name}.`,
    license,
    author,
    repository,
    homepage,
    bugs,
    engines,
    type: 'commonjs',
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    main: binary,
    files: [binary, THIRD_PARTY],
    // Plug'n'Play leaves packages zipped, and nothing loads a library from there.
    preferUnplugged: true,
    publishConfig: { access: 'public' },
  }
}

function published() {
  const manifest = readManifest()
  for (const name of OWN) delete manifest[name]
  return { ...manifest, type: 'commonjs', publishConfig: { access: 'public' } }
}
