// What is printed once the proxy runs: the one place where credentials are shown, once, on standard output.
import type { AuthorityFile } from './authority'

/** A context, and the word of the command line that it was made for. */
export interface Reported {
  route: string
  username: string
  password: string
}

export interface Running {
  /** The proxy without credentials, such as `http://127.0.0.1:39385`. */
  server: string
  secure: boolean
  authority: AuthorityFile
  contexts: Reported[]
}

/** One line, for programs. */
export function toJson({ server, secure, authority, contexts }: Running): string {
  const withUrl = contexts.map((context) => ({ ...context, proxy: withCredentials(server, context) }))
  return JSON.stringify({ server, secure, authority, contexts: withUrl })
}

/** For people: what to paste for each client. */
export function toText(running: Running): string {
  const { server, authority, contexts } = running
  return [
    `The proxy listens at ${server}`,
    ...contexts.flatMap((context) => ['', ...contextLines(running, context)]),
    '',
    `Chromium    ${chromium(running)}`,
    '            asks for the user name and the password of the context that its profile shall be in',
    `Trust       ${authority.path}`,
    `            the authority for https://localhost: --cacert, NODE_EXTRA_CA_CERTS (${authority.fingerprint})`,
    '',
    'Ctrl-C ends it.',
    '',
  ].join('\n')
}

function contextLines(running: Running, context: Reported): string[] {
  return [
    `${context.route}`,
    `Proxy       ${withCredentials(running.server, context)}`,
    `curl        ${curl(running, context)}`,
    `Playwright  ${playwright(running, context)}`,
  ]
}

function withCredentials(server: string, { username, password }: Reported): string {
  const url = new URL(server)
  url.username = username
  url.password = password
  return url.href.replace(/\/$/, '')
}

/** `--noproxy ''`, because a NO_PROXY that names localhost holds even where a proxy is named. */
function curl({ server, secure, authority }: Running, { username, password }: Reported): string {
  const trust = [...(secure ? ['--proxy-cacert', quote(authority.path)] : []), '--cacert', quote(authority.path)]
  const proxy = ['--proxy', server, '--proxy-user', `${username}:${password}`, '--noproxy', quote('')]
  return ['curl', ...proxy, ...trust, 'http://localhost:3000/'].join(' ')
}

/** Chromium takes no credentials from its command line, and heeds the key's hash only in a profile of its own. */
function chromium({ server, authority }: Running): string {
  return [
    'chromium',
    `--proxy-server=${server}`,
    `--proxy-bypass-list=${quote('<-loopback>')}`,
    `--ignore-certificate-errors-spki-list=${authority.spki}`,
    `--user-data-dir=${quote('NEW-FOLDER')}`,
    'http://localhost:3000/',
  ].join(' ')
}

function playwright({ server }: Running, { username, password }: Reported): string {
  return `proxy: { server: '${server}', bypass: '<-loopback>', username: '${username}', password: '${password}' }`
}

const quote = (text: string) => (process.platform === 'win32' ? `"${text}"` : `'${text.replaceAll("'", "'\\''")}'`)
