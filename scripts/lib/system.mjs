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
  display: [['xvfb'], ['xauth'], ['scrot']],
  browser: [['chromium']],
  curl: [['curl']],
}

export const hasDisplay = () =>
  process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY)

/** Installs what is missing for the given purposes. Without the right to install, `onMissing` decides. */
export async function installSystemPackages(purposes, onMissing) {
  if (process.platform !== 'linux') return `nothing to do on ${process.platform}`
  if (!ask('dpkg-query', ['--version'])) return 'not a Debian system: nothing was checked'
  const missing = purposes.flatMap((purpose) => NEEDED_BY[purpose]).filter((names) => !names.some(isInstalled))
  if (missing.length === 0) return 'all there'
  if (process.getuid() !== 0) return onMissing(howToInstall(missing.map(nameHere)))
  return install(missing)
}

/** For scripts that cannot go on without the packages. */
export function failMissing(message) {
  throw new StepError(message)
}

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

const howToInstall = (names) =>
  `Missing system packages: ${names.join(', ')}.\n` +
  `Install them as root, then run this again:\n` +
  `  apt-get update && apt-get install -y --no-install-recommends ${names.join(' ')}`
