#!/usr/bin/env node
// The command `tabport`. It finds the command, and turns whatever comes of it into an exit code: 0, 1 for what went
// wrong, 2 for a command line that is wrong. Commands are loaded when they are asked for, because `doctor` has to run
// where the addon does not load.
import { readFileSync } from 'node:fs'
import { suggest, UsageError } from './usage'

const HELP = `tabport gives every tab and every browser context its own localhost.

Usage: tabport COMMAND [FLAGS]

  proxy    runs the forward proxy, for any browser, test runner or curl
  doctor   says what stands in the way on this machine, and what to do about it
  demo     shows two worlds at one localhost URL

  tabport COMMAND --help   what a command takes
  tabport --version
`

/** Runs a command, to its exit code. */
type Command = (args: string[]) => Promise<number>

const COMMANDS: Record<string, () => Promise<Command>> = {
  proxy: () => withAddon(async () => (await import('./proxy')).proxy),
  doctor: async () => (await import('./doctor')).doctor,
  demo: () => withAddon(async () => (await import('./demo')).demo),
}

/** Loads the addon by itself first: where it fails below another module, Node 20 ends with an error that is caught. */
async function withAddon(load: () => Promise<Command>): Promise<Command> {
  await import('tabport')
  return load()
}

async function main([name, ...args]: string[]): Promise<number> {
  if (name === undefined) return print(HELP, 2)
  if (name === '--help' || name === '-h' || name === 'help') return print(HELP, 0)
  if (name === '--version' || name === '-V') return print(`${version()}\n`, 0)
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (load) return (await load())(args)
  throw new UsageError(`tabport: there is no command ${name}.${suggest(name, Object.keys(COMMANDS))}`)
}

function print(text: string, code: number): number {
  ;(code === 0 ? process.stdout : process.stderr).write(text)
  return code
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const { message, code = '' } = error as NodeJS.ErrnoException
  const usage = error instanceof UsageError || code.startsWith('ERR_TABPORT_INVALID')
  const hint = code === 'ERR_TABPORT_LOAD' ? '\n`tabport doctor` tells more.' : ''
  process.stderr.write(
    `${message.startsWith('tabport ') || error instanceof UsageError ? '' : 'tabport: '}${message}${hint}\n`,
  )
  process.exitCode = usage ? 2 : 1
}
