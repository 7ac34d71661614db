/**
 * Which hosts of a URL are the machine itself: the names and addresses that a route leads elsewhere. Never decided by how
 * a name begins or ends alone: `127.evil.example` and `localhost.evil.example` are anybody's.
 */
import { isIPv4 } from 'node:net'
import { withoutBrackets } from './endpoint'

export function isLoopback(host: string): boolean {
  const name = canonicalHost(host)
  return name === '::1' || (isIPv4(name) && name.startsWith('127.')) || LOCALHOST.test(name)
}

/** One spelling for each host: no brackets, no dot at the end, small letters. */
export const canonicalHost = (host: string): string => withoutBrackets(host).replace(/\.$/, '').toLowerCase()

/** RFC 6761, section 6.3: `localhost` and every name below it. */
const LOCALHOST = /^([^.]+\.)*localhost$/
