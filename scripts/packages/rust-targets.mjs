// Rust's own libraries for other platforms, and what they let one prove of those that cannot be linked for here.
import { existsSync } from 'node:fs'
import { ask, quiet } from '../lib/run.mjs'

/** Whether Rust's standard library for a target is here, by then: rustup fetches it where rustup is what has Rust. */
export async function provideTarget(triple) {
  if (hasTarget(triple)) return true
  await quiet('rustup', ['target', 'add', triple]).catch(({ message }) => console.log(`  ${message.trim()}`))
  return hasTarget(triple)
}

function hasTarget(triple) {
  const standardLibrary = ask('rustc', ['--print', 'target-libdir', '--target', triple])
  return existsSync(standardLibrary ?? '')
}

/**
 * Compiles the addon for platforms whose linker and C compiler are elsewhere, with every warning an error. What is
 * written in C (ring's) is left out: it is not ours, and its crate is tested on those platforms.
 */
export async function checkPlatforms(platforms) {
  const { packages } = JSON.parse(ask('cargo', ['metadata', '--format-version', '1', '--locked']))
  const { links } = packages.find(({ name }) => name === 'ring')
  const targets = platforms.flatMap(({ triple }) => [
    ...['--target', triple],
    // Cargo takes this for what the build script would have said.
    ...['--config', `target.${triple}.${links}.rustc-cfg=[]`],
  ])
  await quiet('cargo', ['clippy', '--locked', '--package', 'tabport-node', ...targets, '--', '-D', 'warnings'])
}
