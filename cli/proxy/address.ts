// Where the proxy listens: `--listen` as `ListenOptions`.
import type { ListenOptions } from 'tabport'
import { UsageError } from '../usage'

/** The ports that are tried when none is named. */
export const DEFAULT_PORTS = { start: 39385, attempts: 50 }

/** Reads `PORT`, `HOST` or `HOST:PORT`; an IPv6 address stands in brackets where a port follows. */
export function parseListen(text: string | undefined): Pick<ListenOptions, 'host' | 'port' | 'autoPort'> {
  if (text === undefined) return { autoPort: DEFAULT_PORTS }
  if (/^\d+$/.test(text)) return { port: portOf(text) }
  const [, host, port] = /^(\[.+\]|[^:]+):(\d+)$/.exec(text) ?? [undefined, text, undefined]
  const bare = host!.replace(/^\[(.+)\]$/, '$1')
  return port === undefined ? { host: bare, autoPort: DEFAULT_PORTS } : { host: bare, port: portOf(port) }
}

function portOf(text: string): number {
  const port = Number(text)
  if (port > 65535) throw new UsageError(`tabport proxy: --listen ${text}: a port is 0 to 65535.`)
  return port
}
