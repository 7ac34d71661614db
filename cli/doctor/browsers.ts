// Which Electron and Chromium there are, and whether they are recent enough.
import { join } from 'node:path'
import { findChromium, findElectron } from '../find'
import { type Finding, type Machine, note, ok, problem } from './finding'

const OLDEST_ELECTRON = 9

export async function checkElectron(machine: Machine): Promise<Finding[]> {
  const about = 'Electron'
  const named = machine.env.TABPORT_ELECTRON
  const found = findElectron(machine)
  if (named && !found) return [problem(about, `TABPORT_ELECTRON names no file: ${named}`, 'correct it, or unset it')]
  if (!found) return [withoutBinary(machine)]
  const script = 'process.stdout.write(process.versions.electron + " " + process.versions.chrome)'
  const printed = await machine.run(found, ['-e', script], { ELECTRON_RUN_AS_NODE: '1' })
  const [electron, chromium] = printed?.trim().split(' ') ?? []
  if (!electron)
    return [problem(about, `${found} does not start`, 'install what it needs: run it, and read what it says')]
  const message = `${electron}, with Chromium ${chromium}: ${found}`
  if (Number.parseInt(electron, 10) >= OLDEST_ELECTRON) return [ok(about, message)]
  return [problem(about, message, `tabport needs Electron ${OLDEST_ELECTRON} or newer: npm install electron@latest`)]
}

/** The package may be there without its binary, where install scripts are off. */
function withoutBinary(machine: Machine): Finding {
  const manifest = machine.read(join(machine.cwd, 'node_modules', 'electron', 'package.json'))
  if (!manifest) return ok('Electron', 'none in node_modules; only an Electron app needs one')
  const { version } = JSON.parse(manifest) as { version: string }
  const remedy = 'node node_modules/electron/install.js'
  return note('Electron', `the package ${version} is installed, its binary is not`, remedy)
}

export async function checkChromium(machine: Machine): Promise<Finding[]> {
  const about = 'Chromium'
  const named = machine.env.TABPORT_CHROMIUM
  const found = findChromium(machine)
  if (named && !found) return [problem(about, `TABPORT_CHROMIUM names no file: ${named}`, 'correct it, or unset it')]
  if (!found) return [ok(about, 'none in its usual places; only the demo and browser tests need one')]
  // Chrome for Windows opens a window instead of printing its version.
  const printed = machine.platform === 'win32' ? undefined : await machine.run(found, ['--version'])
  return [ok(about, printed ? `${printed.trim()}: ${found}` : found)]
}
