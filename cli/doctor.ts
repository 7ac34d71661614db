// `tabport doctor`: what stands in the way on this machine, each finding with its remedy. It changes nothing.
import { readFileSync } from 'node:fs'
import { checkAddon, checkNode } from './doctor/addon'
import { checkChromium, checkElectron } from './doctor/browsers'
import type { Finding, Machine } from './doctor/finding'
import { checkName, checkPorts } from './doctor/loopback'
import { thisMachine } from './doctor/machine'
import { checkPolicies } from './doctor/policies'
import { checkVariables, checkVpn } from './doctor/proxies'
import { checkTrust } from './doctor/trust'
import { parseFlags } from './usage'

const HELP = `Says what stands in the way of tabport on this machine, and what to do about it. It changes nothing.

Usage: tabport doctor [FLAGS]

  --ca-directory DIR   looks at the authority that is kept in DIR
  --json               prints one line of JSON

Exit code: 0 if all is well, notes included; 1 if there is a problem.
`

const FLAGS = {
  'ca-directory': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

export async function doctor(args: string[]): Promise<number> {
  const flags = parseFlags('doctor', args, FLAGS)
  if (flags.help) {
    process.stdout.write(HELP)
    return 0
  }
  const findings = await examine(thisMachine(), flags['ca-directory'])
  const healthy = findings.every(({ level }) => level !== 'problem')
  process.stdout.write(flags.json ? `${JSON.stringify({ healthy, findings })}\n` : toText(findings))
  return healthy ? 0 : 1
}

/** All checks, in the order in which one needs the other. */
export async function examine(machine: Machine, caDirectory?: string): Promise<Finding[]> {
  const version = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
  const checks = [
    checkNode(machine),
    checkAddon(machine, version),
    checkName(machine),
    checkPorts(machine),
    checkVariables(machine),
    checkVpn(machine),
    checkPolicies(machine),
    checkElectron(machine),
    checkChromium(machine),
    checkTrust(machine, caDirectory),
  ]
  return (await Promise.all(checks)).flat()
}

const MARKS = { ok: '✓', note: '!', problem: '✗' }

function toText(findings: Finding[]): string {
  const lines = findings.flatMap(({ about, level, message, remedy }) => [
    `${MARKS[level]} ${about.padEnd(9)}  ${message}`,
    ...(remedy ? [`             → ${remedy}`] : []),
  ])
  const problems = findings.filter(({ level }) => level === 'problem').length
  const verdict = problems === 0 ? 'Nothing stands in the way.' : `${problems} problem${problems > 1 ? 's' : ''}.`
  return `${lines.join('\n')}\n\n${verdict}\n`
}
