// A machine on which all is well, and which a test gives one fault.
import type { Machine } from '../../cli/doctor/finding.ts'

export interface Faults extends Partial<Machine> {
  /** Files and what they hold; a folder is there with its files. */
  files?: Record<string, string>
  /** What programs print, by their command line. */
  prints?: Record<string, string>
}

export function machine({ files = {}, prints = {}, ...faults }: Faults = {}): Machine {
  const inside = (folder: string) => Object.keys(files).filter((file) => file.startsWith(`${folder}/`))
  return {
    platform: 'linux',
    arch: 'x64',
    node: '20.20.2',
    env: {},
    cwd: '/app',
    now: new Date('2026-11-21T12:00:00Z'),
    interfaces: ['lo', 'eth0'],
    read: (file) => files[file],
    list: (folder) => inside(folder).map((file) => file.slice(folder.length + 1)),
    exists: (file) => file in files || inside(file).length > 0,
    mode: () => 0o700,
    run: async (program, args) => prints[[program, ...args].join(' ')],
    lookup: async () => ['127.0.0.1', '::1'],
    bind: async () => undefined,
    tryAddon: async () => ({ loaded: true }),
    ...faults,
  }
}
