// The grammar of `--route`, one route in one word of the shell:
//
//     http://127.18.0.1:{port}                              an upstream template: it has a {port}
//     gateway:http://10.0.0.5:39379,workspace-1             a workspace gateway, and the workspace in it
//     codespaces:name=octo-mld5                             a preset, with its fields
//     https://octo-mld5-3000.app.github.dev/                a preview URL, of which the port does not matter
//     direct                                                no route: loopback names lead to this machine
import { type GatewayRoute, presets, routeFromUrl, type UpstreamRoute } from 'tabport'
import { suggest, UsageError } from '../usage'

/** The fields of each preset: those that must be given, and those that may. */
const FIELDS = {
  cmux: ['id', 'scope', 'domain?'],
  coder: ['agent', 'workspace', 'user', 'domain'],
  codespaces: ['name', 'domain?'],
  daytona: ['sandbox', 'domain'],
  e2b: ['sandbox', 'domain?'],
  gitpod: ['workspace', 'cluster', 'domain?'],
  morph: ['id', 'domain?'],
} as const satisfies Record<keyof typeof presets, readonly string[]>

type Preset = keyof typeof FIELDS

export const PRESETS = Object.entries(FIELDS).map(
  ([name, fields]) => `${name}:${fields.map((field) => optional(`${field.replace('?', '')}=…`, field)).join(',')}`,
)

function optional(text: string, field: string): string {
  return field.endsWith('?') ? `[${text}]` : text
}

/** Reads a route; `undefined` is none. `gatewayToken` is what gateways are told, not being for command lines. */
export function parseRoute(text: string, gatewayToken?: string): UpstreamRoute | GatewayRoute | undefined {
  if (text === 'direct') return undefined
  if (text.includes('{port}')) return { upstream: text }
  const [, kind = '', rest = ''] = /^([^:]*):?(.*)$/s.exec(text) ?? []
  if (kind === 'gateway') return { ...parseGateway(rest), ...(gatewayToken && { cmuxProxyToken: gatewayToken }) }
  if (Object.hasOwn(FIELDS, kind)) return parsePreset(kind as Preset, rest)
  if (kind === 'http' || kind === 'https') return parsePreviewUrl(text)
  throw wrong(text, `there is no kind of route ${JSON.stringify(kind)}.${suggest(kind, KINDS)}`)
}

/** What a route is called in what is printed and logged: a preview URL is not, because its query may hold a token. */
export function nameOf(text: string, route: UpstreamRoute | GatewayRoute | undefined): string {
  return route && 'upstream' in route ? route.upstream : text
}

const KINDS = [...Object.keys(FIELDS), 'gateway', 'direct', 'http', 'https']

function parseGateway(text: string): GatewayRoute {
  const comma = text.indexOf(',')
  if (comma < 0) return { cmuxProxyOrigin: text }
  return { cmuxProxyOrigin: text.slice(0, comma), workspace: text.slice(comma + 1) }
}

function parsePreset(name: Preset, text: string): UpstreamRoute {
  const known = FIELDS[name].map((field) => field.replace('?', ''))
  const given = new Map<string, string>()
  for (const pair of text.split(',').filter(Boolean)) {
    const [key, ...value] = pair.split('=') as [string, ...string[]]
    if (!known.includes(key)) throw wrong(name, `it has no field ${JSON.stringify(key)}.${suggest(key, known)}`)
    if (given.has(key)) throw wrong(name, `${key} is given twice.`)
    given.set(key, value.join('='))
  }
  const missing = FIELDS[name].filter((field) => !field.endsWith('?') && !given.has(field))
  if (missing.length > 0) throw wrong(name, `${missing.join(' and ')} must be given: ${name}:${missing[0]}=…`)
  return checked(name, () => (presets[name] as (fields: unknown) => UpstreamRoute)(Object.fromEntries(given)))
}

function parsePreviewUrl(text: string): UpstreamRoute {
  // Not with the URL itself, whose query may hold a token.
  return checked('URL', () => routeFromUrl(text).route, ' (A template has a {port}; a gateway is gateway:URL.)')
}

function checked<T>(what: string, make: () => T, hint = ''): T {
  try {
    return make()
  } catch (error) {
    throw wrong(what, `${(error as Error).message}${hint}`)
  }
}

const wrong = (what: string, message: string) => new UsageError(`tabport proxy: --route ${what}: ${message}`)
