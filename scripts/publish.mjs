/**
 * Publishes the tarballs of a release, `tabport` last: what it depends on must be there by then.
 *
 *     node scripts/publish.mjs FOLDER TAG
 *
 * It can be run again: what the registry has already, byte for byte, is passed over. It needs no package, because whatever
 * runs beside it could publish, too.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, show } from './lib/run.mjs'
import { main, StepError, step } from './lib/step.mjs'

const ROOT = 'tabport'
const ALL = `${ROOT}-all`
const SHOWN_WITHIN_MS = 120_000
const ASK_AGAIN_MS = 1_000
const [folder, tag] = process.argv.slice(2)

await main(async () => {
  if (!folder || !tag) throw new StepError('Name the folder of the tarballs and the tag of the release.')
  const releases = readdirSync(folder)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => read(path.resolve(folder, name)))
  check(releases)
  const platforms = releases.filter(({ name }) => name !== ROOT && name !== ALL)
  for (const release of platforms) await publish(release)
  await step('what the registry shows', () => shown(platforms))
  for (const name of [ALL, ROOT]) await publish(releases.find((release) => release.name === name))
})

/** A tarball as npm publishes it. Its path is absolute: npm takes `folder/file.tgz` for a repository on GitHub. */
function read(file) {
  const { name, version, optionalDependencies = {} } = JSON.parse(ask('tar', ['-xOf', file, 'package/package.json']))
  const integrity = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
  return { file, name, version, optionalDependencies, integrity }
}

/** All of one version, which is the tag's, and none left out: later is too late, as nothing published can be replaced. */
function check(releases) {
  const versions = new Map(releases.map(({ name, version }) => [name, version]))
  const root = releases.find(({ name }) => name === ROOT)
  if (!root) throw new StepError(`There is no ${ROOT} in ${folder}.`)
  const wrong = releases.filter(({ version }) => `v${version}` !== tag)
  const unmet = Object.entries(root.optionalDependencies).filter(([name, version]) => versions.get(name) !== version)
  const problems = [
    ...wrong.map(({ name, version }) => `${name} is ${version}, and the tag ${tag}`),
    ...unmet.map(([name, version]) => `${ROOT} asks for ${name}@${version}, which is not here`),
    ...(versions.has(ALL) ? [] : [`${ALL} is not here`]),
  ]
  if (problems.length > 0) throw new StepError(`Nothing is published:\n- ${problems.join('\n- ')}`)
}

async function publish(release) {
  const { name, version, file } = release
  await step(`${name}@${version}`, async () => {
    if (isPublished(release)) return 'is there already'
    // Without a channel it is npm's `latest`, which npm refuses to an older version than there is.
    await show('npm', ['publish', file, ...(version.includes('-') ? ['--tag', 'next'] : [])])
    return 'published'
  })
}

function isPublished({ name, version, integrity }) {
  const found = ask('npm', ['view', `${name}@${version}`, 'dist.integrity', '--prefer-online'])
  if (found && found !== integrity)
    throw new StepError(`${name}@${version} is published with other contents. Release the next version.`)
  return found === integrity
}

/** Who installs the root before that would get no addon, and no word of it. */
async function shown(releases) {
  const until = Date.now() + SHOWN_WITHIN_MS
  for (const release of releases) {
    while (!isPublished(release)) {
      if (Date.now() > until) throw new StepError(`The registry does not show ${release.name}. Run this again later.`)
      await sleep(ASK_AGAIN_MS)
    }
  }
}
