/**
 * Gives every package, crate and image one version.
 *
 *     node scripts/version.mjs 0.2.0
 *
 * The platform packages take theirs from package.json when they are packed. What it writes is one commit.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { inRoot } from './lib/paths.mjs'
import { quiet } from './lib/run.mjs'
import { main, StepError } from './lib/step.mjs'

const [version] = process.argv.slice(2)

await main(async () => {
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version ?? '')) throw new StepError('Name a version, such as 0.2.0.')
  replace('Cargo.toml', /(?<=\[workspace\.package\]\nversion = ")[^"]+/, version)
  replace(
    'CHANGELOG.md',
    /^## Unreleased$/m,
    `## Unreleased\n\n## ${version} - ${new Date().toISOString().slice(0, 10)}`,
  )
  // No member of the workspace, and no `cargo update` without a network would know its dependencies.
  replace('fuzz/Cargo.lock', /(?<=name = "tabport-engine"\nversion = ")[^"]+/, version)
  replace('deploy/kubernetes/kustomization.yaml', /(?<=newTag: ).+/, version)
  for (const example of readdirSync(inRoot('examples'))) {
    const manifest = `examples/${example}/package.json`
    if (existsSync(inRoot(manifest))) replace(manifest, /(?<="tabport": "\^)[^"]+/, version)
  }
  await quiet('npm', ['version', version, '--no-git-tag-version', '--allow-same-version'])
  // Only the workspace's own entries change.
  await quiet('cargo', ['update', '--workspace', '--offline'])
  console.log(`Everything is ${version} now. RELEASING.md says what is next.`)
})

function replace(file, pattern, text) {
  const before = readFileSync(inRoot(file), 'utf8')
  if (!pattern.test(before)) throw new StepError(`${file} has no ${pattern}.`)
  writeFileSync(inRoot(file), before.replace(pattern, text))
}
