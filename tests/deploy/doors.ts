// The programs that deploy/ is about, each with a folder of its own there.
import { readFileSync } from 'node:fs'
import { inRoot, staticGateway, staticHeadroom } from '../../scripts/lib/paths.mjs'

export interface Door {
  name: string
  /** As one file, on Linux. */
  program: string
  /** What systemd is told of it; the service is the last. */
  units: string[]
}

export const DOORS: Door[] = [
  { name: 'cmux-proxy', program: staticGateway, units: ['cmux-proxy.service'] },
  { name: 'headroom-proxy', program: staticHeadroom, units: ['headroom-proxy.socket', 'headroom-proxy.service'] },
]

export const fileOf = ({ name }: Door, file: string) => inRoot('deploy', name, file)
export const read = (door: Door, file: string) => readFileSync(fileOf(door, file), 'utf8')

/** What a door's service says of this key. */
export function settings(door: Door, key: string): string[] {
  const service = read(door, `${door.name}.service`)
  return [...service.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value)
}
