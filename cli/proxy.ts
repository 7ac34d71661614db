// `tabport proxy`: the forward proxy from a terminal. It starts, says once how to use it, and runs until a signal.
import { type ListenOptions, type ProxyContextInfo, type ProxyEvent, ProxyServer } from 'tabport'
import { parseListen } from './proxy/address'
import { writeAuthority } from './proxy/authority'
import { awaitSignal } from './proxy/ending'
import { lineOf } from './proxy/log'
import { type Running, toJson, toText } from './proxy/report'
import { nameOf, PRESETS, parseRoute } from './proxy/route'
import { parseFlags, UsageError } from './usage'

const HELP = `Runs the forward proxy. Each --route is a context: credentials, and where localhost leads with them.

Usage: tabport proxy --route ROUTE [--route ROUTE ...] [FLAGS]

  --route ROUTE          http://127.18.0.1:{port}       an upstream by template
                         gateway:URL[,WORKSPACE]        a workspace gateway; its token, if any, is in CMUX_AUTH_TOKEN
                         https://…-3000.app.github.dev  a preview URL; of any port, leads to all
                         direct                         this machine itself
${PRESETS.map((preset) => `                         ${preset}`).join('\n')}
  --listen [HOST:]PORT   on loopback; 0 is any free port (default: the first free one of 127.0.0.1:39385 to 39434)
  --secure               the proxy itself is spoken to in TLS, with HTTP/2
  --upstream-proxy URL   reaches what is not on this machine through http:, https: or socks5: URL; better set in
                         TABPORT_UPSTREAM_PROXY where it has a password, because command lines can be seen by all
  --ca-directory DIR     keeps the authority for https://localhost in DIR (default: another one at each start)
  --json                 prints one line of JSON, for programs
  --verbose              a line for each request, on standard error

Credentials are printed once, on standard output. SIGINT and SIGTERM end it; a second one ends it at once.
`

const FLAGS = {
  route: { type: 'string', multiple: true },
  listen: { type: 'string' },
  secure: { type: 'boolean' },
  'upstream-proxy': { type: 'string' },
  'ca-directory': { type: 'string' },
  json: { type: 'boolean' },
  verbose: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

export async function proxy(args: string[]): Promise<number> {
  const flags = parseFlags('proxy', args, FLAGS)
  if (flags.help) return say(HELP)
  const routes = readRoutes(flags.route ?? [])
  const names = new Map<string, string>()
  const onEvent = flags.verbose ? (event: ProxyEvent) => log(event, names) : undefined
  const server = await start({ ...listenOptions(flags), ...(onEvent && { onEvent }) }, flags.listen)
  // From here on a signal ends in good order, also one that comes while the lines below are being read.
  const ending = awaitSignal()
  try {
    const authority = writeAuthority(server.certificateAuthority(), flags['ca-directory'])
    const contexts = routes.map(({ name, route }, index) => {
      const { id, username, password } = createContext(server, index + 1, route)
      names.set(id, name)
      return { route: name, username, password }
    })
    const running = { ...addressOf(server, flags), authority, contexts }
    say(flags.json ? `${toJson(running)}\n` : toText(running))
    await ending.told
  } finally {
    ending.forget()
    await server.stop()
  }
  return 0
}

type Flags = ReturnType<typeof parseFlags<typeof FLAGS>>

function readRoutes(texts: string[]) {
  if (texts.length === 0)
    throw new UsageError('tabport proxy: a --route is missing, such as --route http://127.18.0.1:{port}')
  return texts.map((text) => {
    const route = parseRoute(text, process.env.CMUX_AUTH_TOKEN)
    return { name: nameOf(text, route), route }
  })
}

/** What the library calls its options, as the command line does. */
const FLAGS_OF: Record<string, string> = {
  'options.host': '--listen',
  'options.upstreamProxy': '--upstream-proxy',
  'options.certificates.directory': '--ca-directory',
}

async function start(options: ListenOptions, listen = ''): Promise<ProxyServer> {
  try {
    return await ProxyServer.listen(options)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ERR_TABPORT_NON_LOOPBACK') {
      throw new UsageError(`tabport proxy: --listen ${listen}: only addresses of loopback are listened on.`)
    }
    throw Object.assign(error as Error, { message: message.replace(/^[\w.]+/, (member) => FLAGS_OF[member] ?? member) })
  }
}

/** The route itself is not in what is said of it: it may hold a password. */
function createContext(server: ProxyServer, number: number, route: ReturnType<typeof parseRoute>): ProxyContextInfo {
  try {
    return server.createContext(number, route)
  } catch (error) {
    throw new UsageError(`tabport proxy: --route number ${number}: ${(error as Error).message}`)
  }
}

function listenOptions(flags: Flags): ListenOptions {
  const upstreamProxy = flags['upstream-proxy'] ?? process.env.TABPORT_UPSTREAM_PROXY
  const directory = flags['ca-directory']
  return {
    ...parseListen(flags.listen),
    secure: flags.secure ?? false,
    ...(upstreamProxy && { upstreamProxy }),
    ...(directory && { certificates: { directory } }),
  }
}

function addressOf(server: ProxyServer, flags: Flags): Pick<Running, 'server' | 'secure'> {
  const secure = flags.secure ?? false
  const host = parseListen(flags.listen).host ?? '127.0.0.1'
  const bracketed = host.includes(':') ? `[${host}]` : host
  return { server: `${secure ? 'https' : 'http'}://${bracketed}:${server.port()}`, secure }
}

function log(event: ProxyEvent, names: ReadonlyMap<string, string>): void {
  const line = lineOf(event, names)
  if (line) process.stderr.write(`${line}\n`)
}

function say(text: string): number {
  process.stdout.write(text)
  return 0
}
