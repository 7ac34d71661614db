// Debian packages: what an Electron, an invisible display and a browser need that a bare machine lacks.
import { ask, quiet } from './run.mjs'
import { StepError } from './step.mjs'

/** Each entry lists the names one library has had; the first that the archive offers is installed. */
const NEEDED_BY = {
  electron: [
    ['libgtk-3-0t64', 'libgtk-3-0'],
    ['libnss3'],
    ['libasound2t64', 'libasound2'],
    ['libgbm1'],
    ['libxss1'],
    ['libxtst6'],
    ['libx11-xcb1'],
    ['fonts-dejavu-core'],
  ],
  display: [['xvfb'], ['xauth']],
  browser: [['chromium'], ['libnss3-tools']],
  commands: [['curl'], ['iproute2'], ['make'], ['openssl'], ['systemd']],
}

export const hasDisplay = () =>
  process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY)

/** Installs what is missing for the given purposes. Without the right to install, `onMissing` decides. */
export async function installSystemPackages(purposes, onMissing) {
  if (!isDebian()) return 'not a Debian system: nothing was checked'
  const missing = missingFor(purposes)
  if (missing.length === 0) return 'all there'
  if (!mayInstall()) return onMissing(howToInstall(missing))
  return install(missing)
}

/** What to tell a user who has to install packages by hand, or undefined when there is nothing to tell. */
export function packagesToInstallByHand(purposes) {
  if (!isDebian() || mayInstall()) return undefined
  const missing = missingFor(purposes)
  return missing.length > 0 ? howToInstall(missing) : undefined
}

/** For scripts that cannot go on without the packages. */
export function failMissing(message) {
  throw new StepError(message)
}

const isDebian = () => process.platform === 'linux' && ask('dpkg-query', ['--version']) !== undefined

const mayInstall = () => process.getuid() === 0

const missingFor = (purposes) =>
  purposes.flatMap((purpose) => NEEDED_BY[purpose]).filter((names) => !names.some(isInstalled))

async function install(missing) {
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  await quiet('apt-get', ['update', '-q'], { env })
  const chosen = missing.map(nameHere)
  console.log(`  installing ${chosen.join(', ')}`)
  await quiet('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...chosen], { env })
  return `installed ${chosen.length} packages and what they need`
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder is dpkg-query's.
const isInstalled = (name) => ask('dpkg-query', ['-W', '-f', '${db:Status-Status}', name]) === 'installed'

/** The one of a library's names that this release's archive knows. */
const nameHere = (names) => names.find(isOffered) ?? names.at(-1)

/** A purely virtual name has no candidate version of its own. */
const isOffered = (name) => /Candidate: (?!\(none\))/.test(ask('apt-cache', ['policy', name]) ?? '')

function howToInstall(missing) {
  const names = missing.map(nameHere)
  return (
    `Missing system packages: ${names.join(', ')}.\n` +
    `Install them as root, then run this again:\n` +
    `  apt-get update && apt-get install -y --no-install-recommends ${names.join(' ')}`
  )
}
