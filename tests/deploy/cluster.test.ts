// Workspaces that are hosts, with real DNS: the file that the image holds, in a file system like the image's, and a
// resolv.conf as a pod has it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { canRun } from '../support/tools.ts'
import { isBuiltHere, staticGateway } from './gateway.ts'

const PROGRAM = fileURLToPath(new URL('./programs/cluster.mjs', import.meta.url))
const RESOLV_CONF = 'nameserver 127.0.0.1\nsearch search.test\noptions ndots:5 timeout:1 attempts:1\n'
const NETWORK = 'ip link set lo up && ip address add 10.18.0.1/32 dev lo'

interface Report {
  answers: Record<string, { status: number; body: string; token?: string }>
  asked: string[]
}

function podRoot(): string {
  const root = mkdtempSync(path.join(os.tmpdir(), 'pod-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  mkdirSync(path.join(root, 'etc'))
  writeFileSync(path.join(root, 'etc', 'hosts'), '127.0.0.1 localhost\n')
  writeFileSync(path.join(root, 'etc', 'resolv.conf'), RESOLV_CONF)
  copyFileSync(staticGateway, path.join(root, 'cmux-proxy'))
  return root
}

/** What comes of requests for these workspaces, in a network where nothing else is. */
async function cluster(template: string, workspaces: string[]): Promise<Report> {
  const inside = [process.execPath, PROGRAM, template, 'unshare', `--root=${podRoot()}`, '/cmux-proxy']
  const namespaces = ['--map-root-user', '--net', '--kill-child']
  const child = spawn('unshare', [...namespaces, 'sh', '-c', `${NETWORK} && exec "$0" "$@"`, ...inside])
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  child.stdin.end(JSON.stringify(workspaces))
  const [printed, said] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  expect(child.exitCode, said).toBe(0)
  return JSON.parse(printed)
}

const canBuild = isBuiltHere && canRun('unshare', '--map-root-user', '--net', 'sh', '-c', NETWORK)
const without = '(skipped without network namespaces)'

test.skipIf(!canBuild)(`a workspace is where DNS says, and nothing that DNS says is loopback ${without}`, async () => {
  const names = ['workspace-1', '/root/WORKSPACE-1', 'rebound', 'mapped', 'nowhere', 'a.b']
  const { answers, asked } = await cluster('{workspace}.ws.test.', names)
  const refused = { status: 403, token: 'destination_ip_prohibited' }
  expect(answers).toMatchObject({
    'workspace-1': { status: 200, body: 'workspace localhost:3000' },
    '/root/WORKSPACE-1': { status: 200 },
    rebound: refused,
    mapped: refused,
    nowhere: { status: 502, token: 'dns_error' },
    'a.b': { status: 400 },
  })
  const wanted = ['workspace-1.ws.test', 'rebound.ws.test', 'mapped.ws.test', 'nowhere.ws.test']
  expect(asked).toEqual(wanted)
})

test.skipIf(!canBuild)(`without the dot at its end, a pod's other domains go first ${without}`, async () => {
  const { asked } = await cluster('{workspace}.ws.test', ['nowhere'])
  expect(asked).toEqual(['nowhere.ws.test.search.test', 'nowhere.ws.test'])
})
