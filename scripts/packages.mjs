/**
 * Makes the npm packages, in target/packages.
 *
 *     node scripts/packages.mjs                  builds, packs and tests for every platform this machine can build for
 *     node scripts/packages.mjs build TARGET...  builds the addon for these (Rust targets), into target/packages/binaries
 *     node scripts/packages.mjs pack --complete  packs what is there, and fails unless every platform is
 *
 * Every addon is checked before it is packed: see scripts/packages/check.mjs.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { buildTypeScript } from './lib/build.mjs'
import { installPackages } from './lib/packages.mjs'
import { inRoot } from './lib/paths.mjs'
import { bin, show } from './lib/run.mjs'
import { main, StepError, step } from './lib/step.mjs'

const binaries = inRoot('target', 'packages', 'binaries')
const tarballs = inRoot('target', 'packages', 'tarballs')
const [command = 'all', ...rest] = process.argv.slice(2)

await main(async () => {
  await step('npm packages', installPackages)
  if (command === 'all') await all()
  else if (command === 'build') await build(rest)
  else if (command === 'pack') await pack(rest.includes('--complete'))
  else throw new StepError(`There is no command ${command}, only build and pack.`)
})

async function all() {
  const { cannotBuild } = await import('./packages/build.mjs')
  const { platforms } = await import('./packages/targets.mjs')
  rmSync(binaries, { recursive: true, force: true })
  const reasons = platforms().map((platform) => [platform, cannotBuild(platform)])
  await build(reasons.filter(([, reason]) => !reason).map(([platform]) => platform.triple))
  await pack(false)
  const { provideElectronBuilder } = await import('./packages/electron-builder.mjs')
  await step('electron-builder', provideElectronBuilder)
  await step('tests', () =>
    show(bin('vitest'), ['run', '--project', 'packages'], { env: { TABPORT_PACKAGES: tarballs } }),
  )
  const not = reasons.filter(([, reason]) => reason)
  for (const [{ package: name }, reason] of not) console.log(`  not built: ${name} ${reason}`)
  if (not.length > 0) console.log('The release workflow builds every platform on machines that can.')
}

async function build(targets) {
  const { buildPlatform } = await import('./packages/build.mjs')
  const { platformOf } = await import('./packages/targets.mjs')
  if (targets.length === 0) throw new StepError('No target is named that can be built here.')
  const wanted = targets.map(platformOf)
  const { provideZig } = await import('./packages/zig.mjs')
  if (wanted.some(({ os }) => os === 'linux')) await step('zig', provideZig)
  for (const platform of wanted) {
    await step(`addon for ${platform.name}`, () => buildPlatform(platform, binaries))
  }
}

/** What was built elsewhere is checked here, too. */
async function pack(complete) {
  await step('TypeScript', buildTypeScript)
  await step('binaries', () => checkAll(complete))
  const packing = await import('./packages/pack.mjs')
  rmSync(tarballs, { recursive: true, force: true })
  await step('tarballs', () => {
    packing.pack(binaries, tarballs)
    return readdirSync(tarballs).join(', ')
  })
}

async function checkAll(complete) {
  const { inspect, violations } = await import('./packages/check.mjs')
  const { platforms } = await import('./packages/targets.mjs')
  const present = platforms().filter(({ binary }) => existsSync(path.join(binaries, binary)))
  const missing = complete ? platforms().filter((platform) => !present.includes(platform)) : []
  const wrong = present.flatMap((platform) =>
    violations(inspect(path.join(binaries, platform.binary)), platform).map((text) => `${platform.binary}: ${text}`),
  )
  const problems = [...missing.map(({ binary }) => `${binary} is missing`), ...wrong]
  if (problems.length > 0) throw new StepError(`The packages cannot be made:\n- ${problems.join('\n- ')}`)
  return `${present.length} of ${platforms().length} platforms`
}
