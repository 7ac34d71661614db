// Opens the demo: two tabs, both at one localhost URL, each with its own workspace behind it.
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { LOOPBACK_ONLY } from './lib/chromium.mjs'
import { findElectron } from './lib/electron.mjs'
import { cache, demoMain } from './lib/paths.mjs'
import { show } from './lib/run.mjs'
import { main, StepError, step } from './lib/step.mjs'
import { hasDisplay } from './lib/system.mjs'
import { setUp } from './setup.mjs'

const screenshot = path.join(cache, 'demo.png')

await main(async () => {
  const driven = !hasDisplay()
  await setUp({ purposes: driven ? ['electron', 'display'] : ['electron'] })
  if (driven) await step('demo, driven on an invisible display', driveDemo)
  else await show(findElectron(), [...sandboxFlags(), demoMain, ...process.argv.slice(2)])
})

async function driveDemo() {
  mkdirSync(cache, { recursive: true })
  rmSync(screenshot, { force: true })
  // Nobody watches.
  const electron = [findElectron(), ...sandboxFlags(), LOOPBACK_ONLY, demoMain]
  await show('xvfb-run', ['-a', '-s', '-screen 0 1440x900x24', ...electron], {
    env: { TABPORT_DEMO_DRIVE: screenshot },
  })
  if (!existsSync(screenshot)) throw new StepError('The demo ended without a screenshot.')
  return `screenshot in ${screenshot}`
}

/** Chromium's sandbox refuses to run as root. */
function sandboxFlags() {
  return process.getuid?.() === 0 ? ['--no-sandbox'] : []
}
