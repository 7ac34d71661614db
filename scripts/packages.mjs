/**
 * Makes the npm packages, in target/packages.
 *
 *     node scripts/packages.mjs                  builds, packs and tests for every platform this machine can build for, and
 *                                                compiles for those that it cannot link for
 *     node scripts/packages.mjs trial            only builds and packs, and fast: what `npm test` tests in CI
 *     node scripts/packages.mjs build TARGET...  builds the addon for these (Rust targets), into target/packages/binaries
 *     node scripts/packages.mjs pack --complete  packs what is there, and fails unless every platform is
 *
 * Every addon is checked before it is packed: see scripts/packages/check.mjs.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { buildTypeScript } from './lib/build.mjs'
import { installPackages } from './lib/packages.mjs'
import { inRoot, trialPackages } from './lib/paths.mjs'
import { bin, show } from './lib/run.mjs'
import { main, StepError, step } from './lib/step.mjs'

const binaries = inRoot('target', 'packages', 'binaries')
const tarballs = inRoot('target', 'packages', 'tarballs')
const [command = 'all', ...rest] = process.argv.slice(2)

await main(async () => {
  await step('npm packages', installPackages)
  if (command === 'all') await all()
  else if (command === 'trial') await trial()
  else if (command === 'build') await build(rest)
  else if (command === 'pack') await pack(rest.includes('--complete'))
  else throw new StepError(`There is no command ${command}, only trial, build and pack.`)
})

async function all() {
  const { can, cannot } = await sorted()
  rmSync(binaries, { recursive: true, force: true })
  await build(can.map(({ triple }) => triple))
  await pack(false)
  await provideForTests()
  await step('tests', () =>
    show(bin('vitest'), ['run', '--project', 'packages'], { env: { TABPORT_PACKAGES: tarballs } }),
  )
  await compile(cannot.map(([platform]) => platform))
  for (const [{ package: name }, reason] of cannot) console.log(`  not built: ${name} ${reason}`)
  if (cannot.length > 0) console.log('The release workflow builds every platform on machines that can.')
}

/** Not optimised, for Linux alone, and while it builds, what the tests need is fetched. */
async function trial() {
  const { can } = await sorted()
  const { buildPlatforms } = await import('./packages/build.mjs')
  const wanted = can.filter(({ os }) => os === 'linux')
  const built = path.join(trialPackages, 'binaries')
  rmSync(trialPackages, { recursive: true, force: true })
  await provideZig()
  const building = step('addons', async () => lines(await buildPlatforms(wanted, built, 'trial')))
  await Promise.all([building, provideForTests()])
  await packFrom(built, path.join(trialPackages, 'tarballs'), false)
}

function lines(descriptions) {
  return descriptions.map((text) => `\n  ${text}`).join('')
}

/** The platforms that can be built for on this machine, and the others with the reason why not. */
async function sorted() {
  const { cannotBuild } = await import('./packages/build.mjs')
  const { platforms } = await import('./packages/targets.mjs')
  const reasons = []
  await step('Rust targets', async () => {
    for (const platform of platforms()) reasons.push([platform, await cannotBuild(platform)])
  })
  const can = reasons.filter(([, reason]) => !reason).map(([platform]) => platform)
  return { can, cannot: reasons.filter(([, reason]) => reason) }
}

async function build(targets) {
  const { buildPlatforms, cannotBuild } = await import('./packages/build.mjs')
  const { platformOf } = await import('./packages/targets.mjs')
  if (targets.length === 0) throw new StepError('No target is named that can be built here.')
  const wanted = targets.map(platformOf)
  for (const platform of wanted) {
    const reason = await cannotBuild(platform)
    if (reason) throw new StepError(`The addon for ${platform.name} ${reason}.`)
  }
  if (wanted.some(({ os }) => os === 'linux')) await provideZig()
  await step('addons', async () => lines(await buildPlatforms(wanted, binaries)))
}

async function provideZig() {
  const zig = await import('./packages/zig.mjs')
  await step('zig', zig.provideZig)
}

/** What was built elsewhere is checked here, too. */
function pack(complete) {
  return packFrom(binaries, tarballs, complete)
}

async function packFrom(built, directory, complete) {
  await step('TypeScript', buildTypeScript)
  await step('binaries', () => checkAll(built, complete))
  const packing = await import('./packages/pack.mjs')
  rmSync(directory, { recursive: true, force: true })
  await step('tarballs', () => {
    packing.pack(built, directory)
    return readdirSync(directory).join(', ')
  })
}

async function checkAll(built, complete) {
  const { inspect, violations } = await import('./packages/check.mjs')
  const { platforms } = await import('./packages/targets.mjs')
  const present = platforms().filter(({ binary }) => existsSync(path.join(built, binary)))
  const missing = complete ? platforms().filter((platform) => !present.includes(platform)) : []
  const wrong = present.flatMap((platform) =>
    violations(inspect(path.join(built, platform.binary)), platform).map((text) => `${platform.binary}: ${text}`),
  )
  const problems = [...missing.map(({ binary }) => `${binary} is missing`), ...wrong]
  if (problems.length > 0) throw new StepError(`The packages cannot be made:\n- ${problems.join('\n- ')}`)
  return `${present.length} of ${platforms().length} platforms`
}

/** A machine that cannot have these says so, and its tests are skipped by name: in CI, they then fail. */
async function provideForTests() {
  const { provideMachines } = await import('./packages/machines.mjs')
  const { provideElectronBuilder } = await import('./packages/electron-builder.mjs')
  await step('other Linux machines', () => provideMachines().catch(({ message }) => `INCOMPLETE: ${message}`))
  await step('electron-builder', provideElectronBuilder)
}

/** Whose code is compiled runs no less for it: the workflows test on those platforms. */
async function compile(platforms) {
  const { checkPlatforms, provideTarget } = await import('./packages/rust-targets.mjs')
  const compiled = []
  for (const platform of platforms) if (await provideTarget(platform.triple)) compiled.push(platform)
  if (compiled.length === 0) return
  await step('clippy for other systems', async () => {
    await checkPlatforms(compiled)
    return compiled.map(({ name }) => name).join(', ')
  })
}
