/** Somebody else's project: an empty folder, a package manager, and a machine without a compiler. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inRoot } from '../../scripts/lib/paths.mjs'
import type { Machine } from '../../scripts/packages/machines.mjs'

const require = createRequire(import.meta.url)
const isWindows = process.platform === 'win32'

/** How a command ended, and what it printed. */
export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly output: string
}

export interface Consumer {
  readonly folder: string
  /** Runs Node with these arguments in the folder. */
  node(...args: string[]): Promise<Ended>
  /** The same for a package manager; one that fails is an error. */
  manager(name: keyof typeof MANAGERS, ...args: string[]): Promise<Ended>
  write(name: string, text: string): void
  remove(): void
}

/** Each package manager's program, which Node runs. */
const MANAGERS = {
  npm: npmProgram,
  pnpm: () => inRoot('node_modules', 'pnpm', 'bin', 'pnpm.cjs'),
  yarn: () => inRoot('node_modules', '@yarnpkg', 'cli-dist', 'bin', 'yarn.js'),
}

/** On this machine, or on another one, whose Node and npm it then has. */
export function newConsumer(registry: string, machine?: Machine): Consumer {
  const parent = machine ? path.join(machine.root, 'tmp') : tmpdir()
  const outside = realpathSync(mkdtempSync(path.join(parent, 'tabport-consumer-')))
  const home = machine ? path.join('/tmp', path.basename(outside)) : outside
  const folder = path.join(outside, 'app')
  mkdirSync(folder)
  const env = { ...(machine ? { PATH: process.env.PATH } : ownPath(home)), ...settings(home, registry) }
  const node = machine ? machine.node(path.join(home, 'app')) : [process.execPath]
  const write = (name: string, text: string): void => writeFileSync(path.join(folder, name), text)
  write('package.json', JSON.stringify({ name: 'app', version: '1.0.0', private: true }))
  return {
    folder,
    write,
    node: (...args) => run([...node, ...args], folder, env),
    async manager(name, ...args) {
      const program = machine && name === 'npm' ? machine.npm : MANAGERS[name]()
      const ended = await run([...node, program, ...args], folder, env)
      if (ended.status !== 0) throw new Error(`${name} ${args.join(' ')} failed (${ended.status}):\n${ended.output}`)
      return ended
    },
    remove: () => rmSync(outside, { recursive: true, force: true }),
  }
}

/** A PATH with Node and nothing else. */
function ownPath(home: string): NodeJS.ProcessEnv {
  if (isWindows) {
    const { SYSTEMROOT, COMSPEC } = process.env
    return { SYSTEMROOT, COMSPEC, TEMP: home, PATH: path.dirname(process.execPath) }
  }
  const bin = path.join(home, 'bin')
  mkdirSync(bin)
  symlinkSync(process.execPath, path.join(bin, 'node'))
  symlinkSync('/bin/sh', path.join(bin, 'sh'))
  return { PATH: bin }
}

/** Folders, caches and settings of its own; no registry but the given one. */
function settings(home: string, registry: string): NodeJS.ProcessEnv {
  return {
    HOME: home,
    USERPROFILE: home,
    XDG_CACHE_HOME: path.join(home, 'cache'),
    XDG_DATA_HOME: path.join(home, 'data'),
    CI: 'true',
    npm_config_registry: registry,
    npm_config_cache: path.join(home, 'npm'),
    npm_config_update_notifier: 'false',
    pnpm_config_registry: registry,
    YARN_NPM_REGISTRY_SERVER: registry,
    YARN_UNSAFE_HTTP_WHITELIST: '127.0.0.1',
    YARN_ENABLE_TELEMETRY: '0',
    YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
    YARN_GLOBAL_FOLDER: path.join(home, 'yarn'),
  }
}

function npmProgram(): string {
  const named = process.env.npm_execpath
  if (named && /npm-cli\.js$/.test(named)) return named
  const beside = path.dirname(realpathSync(process.execPath))
  const places = [path.join(beside, '../lib/node_modules'), path.join(beside, 'node_modules')]
  return require.resolve('npm/bin/npm-cli.js', { paths: places.map((place) => path.dirname(place)) })
}

function run([program, ...args]: string[], cwd: string, env: NodeJS.ProcessEnv): Promise<Ended> {
  const child = spawn(program!, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, output] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, stdout, output }))
  })
}
