// `tabport proxy` from outside: curl goes where the printed lines send it, and a signal ends it.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { runCommand, startCommand, startProxyCommand } from '../support/command.ts'
import { startHttpProxy } from '../support/next-proxy.ts'
import { startOrigin, startWorkspace, text } from '../support/origin.ts'
import { until } from '../support/poll.ts'

const ONE = 'http://127.18.0.1:{port}'

async function curl(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('curl', ['-sS', '--max-time', '10', ...args])
  return stdout
}

test('each route is a context with a localhost of its own, over http and https', async () => {
  const { origin, bait } = await startWorkspace(text('one'))
  await startOrigin(text('two'), { host: '127.18.0.2', port: origin.port })
  const { printed } = await startProxyCommand(['--route', ONE, '--route', 'http://127.18.0.2:{port}'])
  expect(printed.contexts.map(({ route }) => route)).toEqual([ONE, 'http://127.18.0.2:{port}'])
  for (const scheme of ['http', 'https']) {
    const url = `${scheme}://localhost:${origin.port}/`
    const seen = printed.contexts.map(({ proxy }) => curl('-x', proxy, '--cacert', printed.authority.path, url))
    expect(await Promise.all(seen)).toEqual(['one', 'two'])
  }
  expect(bait.connections).toBe(0)
})

test.each([[[]], [['--secure']]])('the printed line for curl works as it stands, with %j', async (flags) => {
  const { origin, bait } = await startWorkspace(text('one'))
  const command = startCommand(['proxy', '--route', ONE, '--listen', '127.0.0.1:0', ...flags])
  await until('the text', () => command.stdout.includes('Ctrl-C'))
  const line = /^curl +(.*)$/m.exec(command.stdout)?.[1]?.replace('localhost:3000', `localhost:${origin.port}`)
  // A variable that would take curl past any proxy.
  const env = { ...process.env, NO_PROXY: 'localhost' }
  const { stdout } = await promisify(execFile)('sh', ['-c', `${line} -sS`], { env })
  expect(stdout).toBe('one')
  expect(bait.connections).toBe(0)
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it in good order, and leaves nothing', async (signal) => {
  const { command, printed } = await startProxyCommand(['--route', 'direct'])
  expect(existsSync(printed.authority.path)).toBe(true)
  command.child.kill(signal)
  expect(await command.ended).toBe(0)
  expect(existsSync(path.dirname(printed.authority.path))).toBe(false)
})

test('a second signal ends it at once, and leaves nothing', async () => {
  const { command, printed } = await startProxyCommand(['--route', 'direct'])
  // Held, so that both are there when it goes on.
  command.child.kill('SIGSTOP')
  command.child.kill('SIGINT')
  command.child.kill('SIGTERM')
  command.child.kill('SIGCONT')
  expect([128 + 2, 128 + 15]).toContain(await command.ended)
  expect(existsSync(path.dirname(printed.authority.path))).toBe(false)
})

test('a password is shown once, on standard output, and in no line about a request', async () => {
  const { origin } = await startWorkspace(text('one'))
  const { command, printed } = await startProxyCommand(['--route', ONE, '--verbose'])
  await curl('-x', printed.contexts[0]!.proxy, `http://localhost:${origin.port}/path?secret`)
  await until('the line', () => command.stderr.includes('\n'))
  expect(command.stderr).toMatch(
    new RegExp(`^http://127\\.18\\.0\\.1:\\{port\\} GET localhost:${origin.port}/path 200 \\d+ ms\n$`),
  )
  expect(command.stdout.split('\n')).toHaveLength(2)
})

test('an authority that is kept is the same at the next start, and its key is not in the file to be trusted', async () => {
  const parent = mkdtempSync(path.join(tmpdir(), 'tabport-cli-'))
  onTestFinished(() => rmSync(parent, { recursive: true }))
  const args = ['--route', 'direct', '--ca-directory', path.join(parent, 'ca')]
  const first = await startProxyCommand(args)
  first.command.child.kill('SIGTERM')
  expect(await first.command.ended).toBe(0)
  const { printed } = await startProxyCommand(args)
  expect(printed.authority).toEqual(first.printed.authority)
  expect(readFileSync(printed.authority.path, 'utf8')).toMatch(
    /^-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*$/,
  )
})

test.each(['flag', 'variable'])('the next proxy, by %s, is where public names go', async (by) => {
  const next = await startHttpProxy()
  const url = `http://${next.at}`
  const args = by === 'flag' ? ['--upstream-proxy', url] : []
  const env: Record<string, string> = by === 'flag' ? {} : { TABPORT_UPSTREAM_PROXY: url }
  const { printed } = await startProxyCommand(['--route', 'direct', ...args], { env })
  await curl('-x', printed.contexts[0]!.proxy, 'http://site.example/')
  expect(next.asked).toEqual(['site.example:80'])
})

test('a gateway is told the workspace, and its token, which is in no output', async () => {
  const gateway = await startOrigin()
  const env = { CMUX_AUTH_TOKEN: 'hunter2' }
  const route = `gateway:http://127.0.0.1:${gateway.port},workspace-1`
  const { command, printed } = await startProxyCommand(['--route', route, '--verbose'], { env })
  await curl('-x', printed.contexts[0]!.proxy, 'http://localhost:3000/')
  const fields = gateway.seen[0]!.headers
  expect([fields['x-cmux-workspace-internal'], fields['x-cmux-port-internal']]).toEqual(['workspace-1', '3000'])
  expect(fields['proxy-authorization']).toBe('Bearer hunter2')
  expect(command.stdout + command.stderr).not.toContain('hunter2')
})

test('a token in what was typed is in no output', async () => {
  const preview = 'https://octo-mld5-3000.app.github.dev/?token=hunter2'
  const { printed } = await startProxyCommand(['--route', preview])
  expect(printed.contexts[0]!.route).toBe('https://octo-mld5-{port}.app.github.dev')
  for (const wrong of [
    ['--route', 'https://site.example/?token=hunter2'],
    ['--route', 'https://user:hunter2@site.example/'],
    ['--route', 'direct', '--upstream-proxy', 'ftp://user:hunter2@proxy.example'],
  ]) {
    const { code, stderr } = await runCommand(['proxy', ...wrong])
    expect(code).toBe(2)
    expect(stderr).not.toContain('hunter2')
  }
})

test('a port that is taken is an error that names it', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void taken.close())
  await until('it listens', () => taken.listening)
  const { port } = taken.address() as { port: number }
  const { code, stderr } = await runCommand(['proxy', '--route', 'direct', '--listen', `${port}`])
  expect([code, stderr]).toEqual([1, expect.stringMatching(new RegExp(`^tabport: .*${port}.*\n$`))])
})
