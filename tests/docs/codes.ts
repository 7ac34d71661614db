// Every code that a user can meet, read from the sources that hand it out.
import { readdirSync, readFileSync } from 'node:fs'
import { STATUS_CODES } from 'node:http'
import path from 'node:path'
import { inRoot } from '../../scripts/lib/paths.mjs'

const read = (file: string) => readFileSync(inRoot(file), 'utf8')

/** `code` of what the package throws or rejects with. What only begins a code is compared, never thrown. */
export function errorCodes(): Set<string> {
  const sources = ['native/node/src', 'native/node/loader.cjs', 'electron', 'playwright', 'cli']
    .flatMap(filesIn)
    .map(read)
  const thrown = sources.flatMap((text) => [...text.replace(/startsWith\(.*?\)/g, '').matchAll(/ERR_TABPORT_\w+/g)])
  return new Set(thrown.map(([code]) => code))
}

function filesIn(place: string): string[] {
  if (/\.\w+$/.test(place)) return [place]
  const names = readdirSync(inRoot(place), { recursive: true }).map(String)
  return names.filter((name) => /\.(rs|ts)$/.test(name)).map((name) => path.join(place, name))
}

/** What is said of a failed `attach`, after its code. */
export function wiringMessages(): string[] {
  const text = ['wire', 'prime'].map((name) => read(`electron/${name}.ts`)).join('\n')
  const all = (form: RegExp, ending: string) =>
    Array.from(text.matchAll(form), ([, said = '']) => said.replace(/\$\{[^}]*\}/g, '…') + ending)
  return [
    ...all(/wiringStep\('([^']+)'/g, ': …'),
    ...all(/[`']([^`'\n]+)[`'], stillWanted\)/g, ' after … ms'),
    ...all(/wiringFailed\(`(?!\$\{otherwise)([^`]+)`/g, ''),
  ]
}

/** Names of the system's errors that a failed start passes on. */
export function systemCodes(): Set<string> {
  const [, text = ''] = read('native/node/src/error.rs').split('fn system_code')
  return new Set([...text.matchAll(/"(E[A-Z]+)"/g)].map(([, code = '']) => code))
}

/** `token status message` of every answer of the proxy's own. */
export function answers(): Set<string> {
  const [, table = ''] = read('native/engine/src/respond.rs').split(/^fn classify/m)
  const [first = '', second = ''] = table.split(/^fn next_proxy_token/m)
  const messages = messagesOf('native/engine/src/error.rs', 'ProxyError')
  const ofNextProxy = messagesOf('native/engine/src/upstream/next_proxy/error.rs', 'NextProxyError')
  const routing = [...messagesOf('native/engine/src/decide/routing_fields.rs', 'RoutingError').values()]
  const found = new Set<string>()
  for (const [, variants = '', status = '', token = ''] of first.matchAll(ARM)) {
    for (const [, variant = '', inner] of variants.matchAll(/ProxyError::(\w+)(?:\(NextProxyError::(\w+)\))?/g)) {
      if (variant === 'NextProxy' && !inner) continue
      const told = inner ? [ofNextProxy.get(inner)] : variant === 'Routing' ? routing : [messages.get(variant)]
      for (const message of told) found.add(`${token} ${statusOf(status)} ${message}`)
    }
  }
  const [ofNext = ''] = second.split('\n}\n')
  for (const [, variants = '', token = ''] of ofNext.matchAll(
    /((?:\|?\s*NextProxyError::\w+(?:\([^)]*\))?\s*)+)=>\s*\{?\s*"(\w+)"/g,
  )) {
    for (const [, variant = ''] of variants.matchAll(/NextProxyError::(\w+)/g)) {
      if (variant !== 'Timeout') found.add(`${token} 502 ${ofNextProxy.get(variant)}`)
    }
  }
  return found
}

const ARM = /((?:\|?\s*ProxyError::\w+(?:\((?:[^()]|\([^)]*\))*\))?\s*)+)=>\s*\{?\s*\(StatusCode::(\w+),\s*"(\w+)"\)/g

/** What is said of an exchange that had an answer already. */
export function endings(): Set<string> {
  const said = read('native/engine/src/respond.rs').matchAll(/pub\(crate\) const \w+: &str = "(\w+)"/g)
  return new Set([...said].map(([, token = '']) => token))
}

function messagesOf(file: string, name: string): Map<string, string> {
  const [, text = ''] = read(file).split(`pub enum ${name} {`)
  const [body = ''] = text.split(/^}$/m)
  const found = body.matchAll(/#\[error\("((?:[^"\\]|\\.)*)"[^\n]*\)\]\n\s+(\w+)/g)
  return new Map([...found].map(([, message = '', variant = '']) => [variant, message.replace(/\{[^}]*\}/g, '…')]))
}

function statusOf(name: string): string {
  const found = Object.entries(STATUS_CODES).find(([, text]) => text?.toUpperCase().replaceAll(/[ -]/g, '_') === name)
  if (!found) throw new Error(`no status is called ${name}`)
  return found[0]
}
