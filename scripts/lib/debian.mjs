// Packages of a Debian release, unpacked into a folder. They come from where this Debian gets its own, with an apt of
// their own: the system's sources, lists and packages stay as they are, and no rights are needed.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ask, quiet } from './run.mjs'
import { StepError } from './step.mjs'

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * Fetches packages (`libc6` or `libc6:arm64`) and unpacks each into the folder that it is named with; packages that are
 * named with one folder end up side by side. What a package needs is not looked for.
 *
 * @param {string} release
 * @param {string} work An empty place, which is gone afterwards.
 * @param {Record<string, string[]>} folders Names of packages, by folder.
 */
export async function unpackDebian(release, work, folders) {
  const mirror = debianMirror()
  if (!mirror) throw new StepError(`This is no Debian whose mirror could have the packages of ${release}.`)
  const names = [...new Set(Object.values(folders).flat())]
  const options = prepare(work, `deb [signed-by=${KEYRING}] ${mirror} ${release} main\n`, names)
  await quiet('apt-get', [...options, '-q', 'update'])
  await quiet('env', ['-C', work, 'apt-get', ...options, '-q', 'download', ...names])
  for (const [folder, wanted] of Object.entries(folders)) {
    mkdirSync(folder, { recursive: true })
    for (const name of wanted) await quiet('dpkg-deb', ['-x', archiveOf(work, name), folder])
  }
  rmSync(work, { recursive: true })
}

/** The folders and settings of that apt, as its options. */
function prepare(work, source, names) {
  rmSync(work, { recursive: true, force: true })
  mkdirSync(path.join(work, 'lists', 'partial'), { recursive: true })
  mkdirSync(path.join(work, 'archives', 'partial'), { recursive: true })
  writeFileSync(path.join(work, 'sources.list'), source)
  const foreign = names.map((name) => name.split(':')[1]).filter(Boolean)
  const architectures = new Set([ask('dpkg', ['--print-architecture']), ...foreign])
  return [
    `Dir::Etc::SourceList=${path.join(work, 'sources.list')}`,
    'Dir::Etc::SourceParts=/dev/null',
    `Dir::State::Lists=${path.join(work, 'lists')}`,
    `Dir::Cache=${work}`,
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
    ...Array.from(architectures, (name) => `APT::Architectures::=${name}`),
  ].flatMap((option) => ['-o', option])
}

function archiveOf(work, name) {
  const [plain, architecture = ask('dpkg', ['--print-architecture'])] = name.split(':')
  const ends = [`_${architecture}.deb`, '_all.deb']
  const found = readdirSync(work).find((file) => file.startsWith(`${plain}_`) && ends.some((end) => file.endsWith(end)))
  return path.join(work, found)
}

/** Where this Debian gets its own packages from; other releases are in the same place. */
function debianMirror() {
  if (!existsSync('/etc/os-release') || !existsSync(KEYRING)) return undefined
  const codename = /^VERSION_CODENAME=(.+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  const targets = ask('apt-get', ['indextargets', '--format', '$(RELEASE) $(REPO_URI)', 'Component: main']) ?? ''
  const lines = targets.split('\n').map((line) => line.split(' '))
  return lines.find(([release]) => release === codename)?.[1]
}
