// The rows about where the workspace gateway leads: port and workspace from fields or from the authority, in every way a
// client can ask, and never back.
import { expect, test } from 'vitest'
import { curl } from '../support/clients.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { startOrigin, text } from '../support/origin.ts'
import { until } from '../support/poll.ts'
import { RawClient } from '../support/raw-client.ts'
import { request } from './fixture.ts'
import { overHttp1, REQUESTS, routing, startAll, TUNNELS, WAYS } from './gateway.ts'

/** One that the address of the first workspace leads to, too. */
async function startInWorkspace() {
  const gateway = await startGateway(['--listen', '127.0.0.1:0,127.18.0.1:0'])
  await until('its second address', () => gateway.addresses().length === 2)
  return gateway
}

test.each(WAYS)(
  'row 20, X-Cmux-* spoof protection: %s to a gateway, whose servers see nothing of it',
  async (...row) => {
    const [way, ask] = row
    const { gateway, one, port } = await startAll()
    const spoofed = { 'X-Cmux-Anything': 'spoofed', 'X-Cmux-Proxied': 'spoofed', 'X-Cmux-Host-Override': 'seen.test' }
    const answer = await ask(gateway, { ...routing(port, 'workspace-1'), ...spoofed })
    expect(answer).toEqual({ status: 200, said: 'workspace 1' })
    expect(one.seen).toHaveLength(1)
    expect(JSON.stringify(one.seen)).not.toMatch(/spoofed|-internal|-override/i)
    // What a tunnel carries is not the gateway's.
    const passed = way.startsWith('CONNECT') ? undefined : expect.stringMatching(/^[0-9a-f]{16}$/)
    expect(one.seen[0]?.headers['x-cmux-proxied']).toEqual(passed)
  },
)

const VECTORS: [name: string, address: string][] = [
  ['workspace-1', '127.18.0.1'],
  ['workspace-2', '127.18.0.2'],
  ['workspace-256', '127.18.1.0'],
  ['workspace-a', '127.18.176.32'],
  ['WORKSPACE-A', '127.18.176.32'],
  ['workspace-b', '127.18.180.217'],
  ['workspace-c', '127.18.179.70'],
  ['main', '127.18.226.8'],
  ['feature', '127.18.115.61'],
  ['feature-x', '127.18.247.88'],
  ['/root/workspace-7', '127.18.0.7'],
  ['/root/', '127.18.157.197'],
]

test.each(VECTORS)('row 25, workspace name -> 127.18.x.x: %s is at %s', async (name, host) => {
  const [gateway, origin] = [await startGateway(), await startOrigin(text('there'), { host })]
  expect(await overHttp1(gateway, routing(origin.port, name))).toEqual({ status: 200, said: 'there' })
})

const SHARED: [one: string, other: string, address: string][] = [
  ['workspace-1', 'a1', '127.18.0.1'],
  ['main-admin', 'build-api', '127.18.17.14'],
  ['workspace-0', '/root/workspace-00', '127.18.0.0'],
  ['workspace-255', 'x-255', '127.18.0.255'],
  ['workspace-65535', '65535', '127.18.255.255'],
]

test.each(SHARED)('row 26, workspace collision policy: %s and %s are names of one, at %s', async (...row) => {
  const [one, other, host] = row
  const [gateway, origin] = [await startGateway(), await startOrigin(text('there'), { host })]
  for (const name of [one, other]) {
    expect(await overHttp1(gateway, routing(origin.port, name)), name).toEqual({ status: 200, said: 'there' })
  }
})

test.each(['65536', '65537', '4294967295', '4294967296', '4294967297', '99999999999999999999'])(
  'row 26, workspace collision policy: workspace-%s is refused, and wraps around to none',
  async (number) => {
    const { gateway, here, one, port } = await startAll()
    const { status, said } = await overHttp1(gateway, routing(port, `workspace-${number}`))
    expect(status).toBe(400)
    expect(said).toBe('invalid workspace name: its number lies outside the workspace network\n')
    expect([here.connections, one.connections]).toEqual([0, 0])
  },
)

test('row 26, workspace collision policy: outside of loopback first and last address are refused', async () => {
  const gateway = await startGateway(['--workspace-net', '198.18.0.0/24'])
  for (const number of [0, 255]) {
    const { status, said } = await overHttp1(gateway, routing(80, `workspace-${number}`))
    expect([status, said]).toEqual([400, 'invalid workspace name: its address is not one that a server can have\n'])
  }
})

test.each(WAYS)(
  'row 27, workspace header routing: %s, one port is another server in each workspace',
  async (...row) => {
    const [, ask] = row
    const { gateway, here, one, two, port } = await startAll()
    for (const number of [1, 2, 1]) {
      const answer = await ask(gateway, routing(port, `/root/workspace-${number}`))
      expect(answer).toEqual({ status: 200, said: `workspace ${number}` })
    }
    expect([one.seen.length, two.seen.length, here.connections]).toEqual([2, 1, 0])
  },
)

test('row 27, workspace header routing: many at once, over connections that are kept', async () => {
  const { gateway, port } = await startAll()
  for (let round = 0; round < 3; round += 1) {
    const numbers = Array.from({ length: 100 }, (_, index) => 1 + (index % 2))
    const asked = numbers.map((number) => overHttp1(gateway, routing(port, `workspace-${number}`)))
    expect((await Promise.all(asked)).map(({ said }) => said)).toEqual(numbers.map((number) => `workspace ${number}`))
  }
})

test.each(WAYS)(
  'row 27, workspace header routing: %s without a workspace leads to the upstream host',
  async (...row) => {
    const [, ask] = row
    const { gateway, one, port } = await startAll()
    expect(await ask(gateway, routing(port))).toEqual({ status: 200, said: 'here' })
    const strict = await startGateway(['--allow-default-upstream=false'])
    const refused = { status: 400, said: 'missing required header: X-Cmux-Workspace-Internal\n' }
    expect(await ask(strict, routing(port))).toEqual(refused)
    expect(one.connections).toBe(0)
  },
)

test.each(REQUESTS)('row 28, `<ws>-<port>.localhost` routing: %s, with the flags as they are', async (_way, ask) => {
  const { gateway, here, port } = await startAll()
  for (const name of ['workspace', 'WORKSPACE']) {
    for (const number of [1, 2]) {
      const Host = `${name}-${number}-${port}.localhost:${gateway.port()}`
      expect(await ask(gateway, { Host })).toEqual({ status: 200, said: `workspace ${number}` })
    }
  }
  expect(here.connections).toBe(0)
})

test('row 28, `<ws>-<port>.localhost` routing: in absolute form, and as a name that is resolved', async () => {
  const { gateway, here, port } = await startAll()
  const name = `workspace-2-${port}.localhost`
  const client = await RawClient.connect(gateway.port())
  client.send(request(`GET http://${name}/`, `workspace-1-${port}.localhost`))
  expect(await client.response()).toMatchObject({ status: 200, body: 'workspace 2' })
  expect(await curl('--noproxy', '*', `http://${name}:${gateway.port()}/`)).toBe('workspace 2')
  expect(here.connections).toBe(0)
})

test.each(TUNNELS)('row 28, `<ws>-<port>.localhost` routing: %s is led by fields alone', async (_way, ask) => {
  const { gateway, one, port } = await startAll()
  const answer = await ask(gateway, { Host: `workspace-1-${port}.localhost` })
  expect(answer).toEqual({ status: 400, said: 'missing required header: X-Cmux-Port-Internal\n' })
  expect(one.connections).toBe(0)
})

test.each(REQUESTS)(
  'row 29, host override / preserve: %s, set where it is told, and else as sent',
  async (_way, ask) => {
    const { gateway, one, port } = await startAll()
    const fields = { ...routing(port, 'workspace-1'), Host: 'kept.test:81' }
    await ask(gateway, fields)
    await ask(gateway, { ...fields, 'X-Cmux-Host-Override': 'localhost:3000' })
    expect(one.seen.map(({ headers }) => headers.host)).toEqual(['kept.test:81', 'localhost:3000'])
  },
)

test.each(TUNNELS)('row 30, ws-bin CONNECT dials before 200: %s to a closed port is a 502', async (_way, ask) => {
  const { gateway, one, port } = await startAll()
  expect(await ask(gateway, routing(port, 'workspace-1'))).toMatchObject({ status: 200 })
  await one.close()
  const refused = { status: 502, said: 'the upstream refused the connection\n' }
  expect(await ask(gateway, routing(port, 'workspace-1'))).toEqual(refused)
})

test.each(WAYS)('row 53, loop detection: %s to an address of the gateway itself is a 508', async (_way, ask) => {
  const gateway = await startInWorkspace()
  for (const fields of [routing(gateway.port()), routing(gateway.port('127.18.0.1'), 'workspace-1')]) {
    expect(await ask(gateway, fields)).toEqual({ status: 508, said: 'the request leads back to this proxy\n' })
  }
})

test.each(REQUESTS)('row 53, loop detection: %s is marked with the gateways on its way', async (_way, ask) => {
  const { gateway, one, port } = await startAll()
  const second = await startInWorkspace()
  const through = { ...routing(second.port('127.18.0.1'), 'workspace-1'), 'X-Cmux-Host-Override': inWorkspace(port) }
  expect(await ask(gateway, through)).toEqual({ status: 200, said: 'workspace 1' })
  expect(one.seen[0]?.headers['x-cmux-proxied']).toMatch(/^([0-9a-f]{16}), (?!\1)[0-9a-f]{16}$/)
})

test.each(REQUESTS)('row 53, loop detection: %s, a ring of two gateways ends where it began', async (_way, ask) => {
  const counted = ['--admin', '127.0.0.1:0']
  const one = await startGateway(['--listen', '127.18.0.1:0', '--workspace-net', '127.19.0.0/16', ...counted])
  const port = one.port('127.18.0.1')
  const two = await startGateway(['--listen', `127.0.0.1:0,127.19.0.1:${port}`, ...counted])
  await until('both addresses', () => two.addresses().length === 2)
  expect((await ask(two, { Host: inWorkspace(port) })).status).toBe(508)
  expect([await requests(two), await requests(one)]).toEqual([2, 1])
})

/** The authority that leads to a port of the first workspace. */
const inWorkspace = (port: string | number) => `workspace-1-${port}.localhost`

/** How many a gateway has had so far. */
async function requests(gateway: Gateway): Promise<number> {
  const { said } = await overHttp1({ port: gateway.adminPort }, {}, '/metrics')
  return Number(/^cmux_proxy_requests_total (\d+)$/m.exec(said)?.[1])
}
