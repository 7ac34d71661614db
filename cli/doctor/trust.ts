// The authority for `https://localhost`: the one that is kept in a folder, or what a new one would be; and whether the
// clock lets it be valid.
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { type Finding, type Machine, note, ok, problem } from './finding'

const ABOUT = 'trust'
const DAY_MS = 86_400_000

/** The proxy makes a new one when less is left. */
const RENEWED_DAYS = 30

const OTHERS = 0o077

/** `directory` is what `--ca-directory` names. */
export async function checkTrust(machine: Machine, directory?: string): Promise<Finding[]> {
  if (directory) return kept(machine, directory)
  const { authority } = await machine.tryAddon()
  if (!authority) return []
  return [
    ok(ABOUT, `${describe(authority)} would be made anew at each start; --ca-directory keeps one`),
    ...clock(machine, authority),
  ]
}

function kept(machine: Machine, directory: string): Finding[] {
  if (!machine.exists(directory)) return [ok(ABOUT, `${directory} does not exist: it is made with the first authority`)]
  if (tooOpen(machine, directory)) {
    return [
      problem(ABOUT, `others may enter ${directory}: the proxy refuses to keep a key there`, `chmod 700 ${directory}`),
    ]
  }
  const text = machine.read(join(directory, 'authority.pem'))
  const pem = text && certificateOf(text)
  if (!pem)
    return [note(ABOUT, `${directory} holds no authority`, 'nothing: the next start makes one, to be trusted then')]
  const dates = clock(machine, pem)
  return dates.length > 0 ? dates : [ok(ABOUT, `${describe(pem)} is kept in ${directory}`)]
}

function tooOpen(machine: Machine, directory: string): boolean {
  return ((machine.mode(directory) ?? 0) & OTHERS) !== 0
}

/** Without the key that stands beside it. */
function certificateOf(text: string): string | undefined {
  const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text)?.[0]
  try {
    return pem && new X509Certificate(pem).toString()
  } catch {
    return undefined
  }
}

function clock({ now }: Machine, pem: string): Finding[] {
  const { validFrom, validTo } = new X509Certificate(pem)
  const today = now.toISOString()
  if (now < new Date(validFrom)) {
    return [problem(ABOUT, `the clock says ${today}, before the authority began: ${validFrom}`, 'set the clock')]
  }
  const days = Math.floor((new Date(validTo).getTime() - now.getTime()) / DAY_MS)
  if (days >= RENEWED_DAYS) return []
  const message = days < 0 ? `the authority has ended: ${validTo}` : `the authority ends in ${days} days`
  return [note(ABOUT, message, 'the next start makes another: trust that one then; or set the clock, if it is wrong')]
}

function describe(pem: string): string {
  const { subject, validTo, fingerprint256 } = new X509Certificate(pem)
  return `${subject.replaceAll('\n', ', ')}, valid to ${validTo}, SHA-256 ${fingerprint256.slice(0, 23)}…`
}
