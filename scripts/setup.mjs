// Everything a fresh clone needs before it runs or is tested. Plain Node: it runs before any package is there.
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { packages as http2Packages } from '../tests/conformance/http2/packages.mjs'
import { packages as deployPackages } from '../tests/deploy/packages.mjs'
import { packages as headroomPackages } from '../tests/headroom/packages.mjs'
import { buildAddon, buildForTests, buildGateway, buildStaticProgram, buildTypeScript } from './lib/build.mjs'
import { provideElectron } from './lib/electron.mjs'
import { installPackages } from './lib/packages.mjs'
import { staticGateway, staticHeadroom } from './lib/paths.mjs'
import { main, step } from './lib/step.mjs'
import { failMissing, installSystemPackages, packagesToInstallByHand } from './lib/system.mjs'
import { checkToolchain } from './lib/toolchain.mjs'

export const FOR_TESTS = ['electron', 'display', 'browser', 'commands']

/**
 * Prepares the repository. `onMissing` is called with a message when something that cannot be installed here is
 * missing: it throws, or returns the text to show as that step's result.
 */
export async function setUp({ purposes = FOR_TESTS, onMissing = failMissing } = {}) {
  await step('toolchain', () => checkToolchain(packagesToInstallByHand(purposes)))
  await step('system packages', () => installSystemPackages(purposes, onMissing))
  // Both at once: the last of an optimised build keeps one processor busy, and a download none.
  await Promise.all([provide(purposes, onMissing), purposes === FOR_TESTS && buildStaticPrograms()])
}

async function provide(purposes, onMissing) {
  await step('npm packages', installPackages)
  await step('Electron', () => provideElectron().catch((error) => onMissing(error.message)))
  await step('native addon', buildAddon)
  if (purposes === FOR_TESTS) {
    await step('programs, and what tests them', buildForTests)
    await step('Python packages for HTTP/2', () => http2Packages.provide())
    await step('Python packages for deploy/', () => deployPackages.provide())
    await step('Python clients for headroom-proxy', () => headroomPackages.provide())
  } else await step('workspace gateway', buildGateway)
  await step('TypeScript', buildTypeScript)
}

async function buildStaticPrograms() {
  for (const program of [staticGateway, staticHeadroom]) {
    await step(`static ${path.basename(program)}`, () => buildStaticProgram(program))
  }
}

if (import.meta.url === pathToFileURL(path.resolve(process.argv[1])).href) {
  await main(() => setUp())
}
