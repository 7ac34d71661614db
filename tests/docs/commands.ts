// What a command in a document names, and whether it exists.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'vitest'
import { gatewayProgram, headroomProgram, inRoot } from '../../scripts/lib/paths.mjs'
import { type Block, read } from './documents.ts'

type Check = (args: string[], program: string) => void

/** The commands of a block: a line each, unless it ends in a backslash. */
export function commandsOf({ at, text }: Block): { at: string; line: string }[] {
  const lines = text.replace(/ *\\\n */g, ' ').split('\n')
  return lines.filter((line) => line.trim() && !line.startsWith('#')).map((line) => ({ at, line }))
}

/** As a shell would split it: quotes, and a comment at the end. */
export function words(line: string): string[] {
  const found = line.replace(/ +# .*$/, '').match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? []
  return found.map((word) => word.replaceAll(/['"]/g, ''))
}

const manifest = JSON.parse(read('package.json'))
const known = new Set(['tabport', 'tabport@npm:tabport-all', ...Object.keys(manifest.devDependencies)])

/** What each program's arguments are held against. A program that is not here is one that nothing checks. */
export const CHECKS: Record<string, Check> = {
  npm: ([command, ...args]) => {
    if (command === 'install') return expect([...known]).toEqual(expect.arrayContaining(values(args)))
    const script = command === 'run' ? args[0] : command
    expect(Object.keys(manifest.scripts)).toContain(script)
  },
  node: ([file = '']) => expectFile(file),
  python3: ([, module = '']) => expect(spawnSync('python3', ['-m', module, '--help']).status).toBe(0),
  npx: (args) => expect(existsSync(inRoot('node_modules', '.bin', args[0] ?? ''))).toBe(true),
  make: ([target]) => expect(read('Makefile')).toMatch(new RegExp(`^${target}:`, 'm')),
  cargo: (args) => {
    for (const name of after(args, '-p', '--package')) expectPackage(name)
  },
  'cmux-proxy': (args) => expectFlags(gatewayProgram, args),
  'headroom-proxy': (args) => expectFlags(headroomProgram, args),
  'cutover.sh': ([verb]) => expect(read('deploy/headroom-proxy/cutover.sh')).toContain(`\n${verb}() {`),
  install: (args) => {
    const [source = '', target] = values(without(args, '-m', '-o', '<<<')).slice(-2)
    expect(target).toMatch(/^\//)
    if (source.startsWith('target/')) expectPackage(path.basename(source))
    else if (source.startsWith('deploy/')) expectFile(source)
  },
  systemctl: (args) => {
    for (const name of values(args.slice(1))) expect(units()).toContain(path.basename(name, '.service'))
  },
  docker: ([verb, ...args]) => {
    if (verb === 'build') for (const file of after(args, '--file')) expectFile(file)
    else expectImage(args)
  },
  kubectl: ([verb, ...args]) => {
    if (verb === 'create') expect(read('deploy/kubernetes/deployment.yaml')).toContain(`secretName: ${args[2]}`)
    for (const file of verb === 'apply' ? after(args, '--filename', '--kustomize') : []) expectFile(file)
  },
  export: ([assignment = '']) => expect(environment()).toContain(assignment.split('=')[0]),
  curl: (args) => {
    const { stdout } = spawnSync('curl', ['--help', 'all'], { encoding: 'utf8' })
    for (const flag of args.filter((arg) => arg.startsWith('-'))) expect(stdout).toMatch(new RegExp(`${flag}[ ,]`))
  },
}

const values = (args: string[]): string[] => args.filter((arg) => !arg.startsWith('-'))

/** The arguments behind these flags. */
const after = (args: string[], ...flags: string[]): string[] =>
  args.filter((_, index) => flags.includes(args[index - 1] ?? ''))

/** The arguments but for these flags, with what is behind them. */
const without = (args: string[], ...flags: string[]): string[] =>
  args.filter((arg, index) => !flags.includes(arg) && !flags.includes(args[index - 1] ?? ''))

const expectPackage = (name: string): void => expect(read('Cargo.lock')).toContain(`\nname = "${name}"\n`)

function expectFile(file: string): void {
  const start = file.replace(/\*$/, '')
  const there = readdirSync(inRoot(path.dirname(start))).some((name) => name.startsWith(path.basename(start)))
  expect(file.endsWith('*') ? there : existsSync(inRoot(file)), file).toBe(true)
}

/** Every flag is in what the program says of itself, or of its subcommand. */
function expectFlags(program: string, args: string[]): void {
  const [own = []] = [args.includes('--') ? args.slice(0, args.indexOf('--')) : args]
  const subcommand = /^[a-z]+$/.test(own[0] ?? '') ? [own[0]!] : []
  const { status, stdout } = spawnSync(program, [...subcommand, '--help'], { encoding: 'utf8' })
  expect(status, `${program} ${subcommand} --help: run \`npm run setup\``).toBe(0)
  for (const flag of own.filter((arg) => arg.startsWith('--'))) {
    expect(stdout).toMatch(new RegExp(`^ .*${flag.split('=')[0]}[ ,=\\n]`, 'm'))
  }
}

/** Those of `deploy`, and those that the documents say are the reader's own. */
function units(): string[] {
  const ours = ['cmux-proxy', 'headroom-proxy'].flatMap((door) => readdirSync(inRoot('deploy', door)))
  return [...ours.map((file) => path.basename(file, '.service')), 'headroom']
}

/** An image is named after its program, and what follows its name are that program's arguments. */
function expectImage(args: string[]): void {
  const at = args.findIndex((arg) => ['cmux-proxy', 'headroom-proxy'].includes(arg))
  expect(at, 'no image of ours').toBeGreaterThan(-1)
  CHECKS[args[at]!]?.(args.slice(at + 1), args[at]!)
}

/** The variables that scripts and programs read. */
const environment = (): string[] =>
  [...read('deploy/headroom-proxy/cutover.sh').matchAll(/\$\{?(\w+)/g)].map(([, name = '']) => name)
