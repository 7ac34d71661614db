// Vite's dev server, started in two workspaces on the same port: a page and its hot updates, through one gateway.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import WebSocket from 'ws'
import { startGateway } from './support/gateway.ts'
import { until } from './support/poll.ts'
import { runIn } from './support/workspace.ts'

const VITE = fileURLToPath(new URL('../node_modules/vite/bin/vite.js', import.meta.url))
const linux = process.platform === 'linux'

test.runIf(linux)('each workspace has its own Vite on one port (only on Linux)', async () => {
  const [{ port: gatewayPort }, port] = await Promise.all([startGateway(), freePort()])
  const gateway = gatewayPort()
  const [one, other] = await Promise.all([
    startVite('workspace-81', port, ['--host', 'localhost']),
    startVite('workspace-82', port, ['--host']),
  ])
  for (const { workspace } of [one, other]) {
    const page = await get(gateway, workspace, port, '/')
    expect(page).toContain(`<title>${workspace}</title>`)
    expect(page).toContain('/@vite/client')
    expect(await get(gateway, workspace, port, '/main.js')).toContain(`"${workspace}"`)
  }
  await expect(reaches('127.0.0.1', port)).resolves.toBe(false)
  await expect(reaches('::1', port)).resolves.toBe(false)

  const updates = await hotUpdates(gateway, one.workspace, port)
  const elsewhere = await hotUpdates(gateway, other.workspace, port)
  let edits = 0
  await until('a hot update', () => {
    writeFileSync(path.join(one.root, 'main.js'), `${MODULE}console.log("edit ${edits++}")\n`)
    return updates.some(({ type }) => type === 'update')
  })
  expect(updates.find(({ type }) => type === 'update')).toMatchObject({ updates: [{ path: '/main.js' }] })
  expect(await get(gateway, one.workspace, port, '/main.js')).toContain('"edit ')
  expect(elsewhere.map(({ type }) => type)).toEqual(['connected'])
})

const MODULE = 'import.meta.hot.accept()\n'

/** Vite with a page that says which workspace it is of. */
async function startVite(workspace: string, port: number, flags: string[]) {
  const root = mkdtempSync(path.join(tmpdir(), 'tabport-vite-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const page = `<title>${workspace}</title><script type="module" src="/main.js"></script>`
  writeFileSync(path.join(root, 'index.html'), page)
  writeFileSync(path.join(root, 'main.js'), `${MODULE}console.log("${workspace}")\n`)
  const command = [process.execPath, VITE, root, '--port', String(port), '--strictPort', ...flags]
  await runIn(workspace, command, new RegExp(`Local: +http://localhost:${port}/`))
  return { root, workspace }
}

const routing = (workspace: string, port: number) => ({
  host: `localhost:${port}`,
  'x-cmux-port-internal': String(port),
  'x-cmux-workspace-internal': workspace,
})

async function get(gateway: number, workspace: string, port: number, target: string): Promise<string> {
  const headers = routing(workspace, port)
  const { statusCode, body } = await request(`http://127.0.0.1:${gateway}${target}`, { headers })
  expect(statusCode).toBe(200)
  return body.text()
}

/** What Vite tells its page from now on, by the WebSocket that its client opens. */
async function hotUpdates(gateway: number, workspace: string, port: number) {
  const client = await get(gateway, workspace, port, '/@vite/client')
  const token = /wsToken = "([^"]+)"/.exec(client)?.[1]
  const headers = { ...routing(workspace, port), origin: `http://localhost:${port}` }
  const socket = new WebSocket(`ws://127.0.0.1:${gateway}/?token=${token}`, 'vite-hmr', { headers })
  onTestFinished(() => socket.terminate())
  const messages: { type: string; updates?: { path: string }[] }[] = []
  socket.on('message', (text) => messages.push(JSON.parse(String(text))))
  await until('a connection to Vite', () => messages.some(({ type }) => type === 'connected'))
  return messages
}

/** A port that nobody on this machine has. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0)
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function reaches(host: string, port: number): Promise<boolean> {
  const socket = net.connect({ host, port })
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).finally(() => socket.destroy()) as Promise<boolean>
}
