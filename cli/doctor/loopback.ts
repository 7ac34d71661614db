// Whether loopback is what it should be: the name leads to it, and its ports can be had.
import { DEFAULT_PORTS } from '../proxy/address'
import { type Finding, type Machine, note, ok, problem } from './finding'

export async function checkName(machine: Machine): Promise<Finding[]> {
  const addresses = await machine.lookup('localhost')
  const about = 'localhost'
  const hosts = machine.platform === 'win32' ? 'C:\\Windows\\System32\\drivers\\etc\\hosts' : '/etc/hosts'
  const remedy = `let ${hosts} say: 127.0.0.1 localhost`
  if (addresses.length === 0) return [problem(about, 'the name resolves to nothing', remedy)]
  const foreign = addresses.filter((address) => !/^(127\.|::1$)/.test(address))
  if (foreign.length > 0) return [problem(about, `the name resolves to ${foreign.join(', ')}`, remedy)]
  return [ok(about, `resolves to ${addresses.join(', ')}`)]
}

export async function checkPorts(machine: Machine): Promise<Finding[]> {
  const four = await machine.bind('127.0.0.1', 0)
  const six = await machine.bind('::1', 0)
  return [
    four
      ? problem('ports', `127.0.0.1 cannot be listened on: ${four}`, 'allow it: a sandbox or a firewall forbids it')
      : await range(machine),
    six
      ? note('ports', `::1 cannot be listened on: ${six}`, 'nothing, unless a dev server is to listen on ::1')
      : ok('ports', '::1 can be listened on'),
  ]
}

/** Of the ports that `tabport proxy` tries, in their order, the first that is free. */
async function range(machine: Machine): Promise<Finding> {
  const { start, attempts } = DEFAULT_PORTS
  const last = start + attempts - 1
  for (let port = start; port <= last; port++) {
    if (!(await machine.bind('127.0.0.1', port))) return ok('ports', `127.0.0.1:${port} is free`)
  }
  const message = `of 127.0.0.1:${start} to ${last} none is free`
  return problem('ports', message, 'end what holds them, or name another: tabport proxy --listen 0')
}
