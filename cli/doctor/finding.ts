// What a check says, and what a check may ask of the machine. Checks are functions of a `Machine`, so that a test can
// give them one with any fault.

/** `problem` is what keeps tabport from working; `note` may surprise somebody. */
export type Level = 'ok' | 'note' | 'problem'

export interface Finding {
  /** What was looked at, in a word or two. */
  about: string
  level: Level
  /** What was found, in one sentence. */
  message: string
  /** What to do about it. */
  remedy?: string
}

/** All that checks learn of the machine. What cannot be found out is `undefined`, never an exception. */
export interface Machine {
  platform: NodeJS.Platform
  arch: string
  /** The version of Node, without `v`. */
  node: string
  env: Record<string, string | undefined>
  /** The folder that the command was started in. */
  cwd: string
  now: Date
  /** Names of network interfaces that are up. */
  interfaces: string[]
  read(file: string): string | undefined
  list(folder: string): string[]
  exists(file: string): boolean
  /** The permission bits of a file or a folder, where the system has such. */
  mode(file: string): number | undefined
  /** What a program prints, if it ends well within a few seconds. */
  run(program: string, args: string[], env?: Record<string, string>): Promise<string | undefined>
  /** The addresses of a name. */
  lookup(name: string): Promise<string[]>
  /** Binds a port, 0 for any, and lets go of it: the system's error code, or nothing. */
  bind(host: string, port: number): Promise<string | undefined>
  /** Loads the addon and sends a request through a proxy of its own. */
  tryAddon(): Promise<AddonTrial>
}

/** What became of the addon: how far it came, and the error it ended with. */
export interface AddonTrial {
  loaded: boolean
  error?: Error & { code?: string; platform?: string }
  /** The authority that `https://localhost` would be answered with, in PEM. */
  authority?: string
}

export const ok = (about: string, message: string): Finding => ({ about, level: 'ok', message })

export const note = (about: string, message: string, remedy: string): Finding => ({
  about,
  level: 'note',
  message,
  remedy,
})

export const problem = (about: string, message: string, remedy: string): Finding => ({
  about,
  level: 'problem',
  message,
  remedy,
})
