// Whether there is an addon for this system, and whether it loads and serves a request.
import { type Finding, type Machine, ok, problem } from './finding'

const OLDEST_NODE = 20

export async function checkAddon(machine: Machine, version: string): Promise<Finding[]> {
  const { loaded, error } = await machine.tryAddon()
  if (!error) return [ok('addon', `tabport ${version} loads, and its proxy answers`)]
  if (loaded) return [problem('addon', `its proxy does not serve: ${error.message}`, refusedLoopback)]
  const triple = error.platform ?? `${machine.platform}-${machine.arch}`
  return [problem('addon', firstLine(error.message), `npm install @tabport/${triple}@${version}`)]
}

const refusedLoopback = 'let Node listen on 127.0.0.1: a sandbox, a container or a firewall may forbid it'

export function checkNode({ node, platform, arch }: Machine): Finding[] {
  const about = 'system'
  if (Number.parseInt(node, 10) >= OLDEST_NODE) return [ok(about, `${platform} ${arch}, Node ${node}`)]
  return [problem(about, `Node ${node} is older than ${OLDEST_NODE}`, `install Node ${OLDEST_NODE} or newer`)]
}

const firstLine = (text: string) => text.split('\n')[0] ?? text
