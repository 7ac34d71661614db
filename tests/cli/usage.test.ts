// Command lines that are wrong: exit code 2, one line, and the nearest right word.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parseListen } from '../../cli/proxy/address.ts'
import { parseRoute } from '../../cli/proxy/route.ts'
import { suggest } from '../../cli/usage.ts'
import { runCommand } from '../support/command.ts'

test.each([
  [['proxi'], 'tabport: there is no command proxi. Did you mean proxy?'],
  [['toString'], 'tabport: there is no command toString.'],
  [['proxy', '--rout', 'x'], 'tabport proxy: there is no --rout. Did you mean --route?'],
  [['proxy', '--frobnicate'], 'tabport proxy: there is no --frobnicate.'],
  [['proxy', '--json=yes'], "tabport proxy: Option '--json' does not take an argument."],
  [['proxy', '--route'], "tabport proxy: Option '--route <value>' argument missing."],
  [['proxy', 'http://127.18.0.1:{port}'], "tabport proxy: Unexpected argument 'http://127.18.0.1:{port}'."],
  [['proxy'], 'tabport proxy: a --route is missing, such as --route http://127.18.0.1:{port}'],
  [['proxy', '--route', 'direct', '--listen', '70000'], 'tabport proxy: --listen 70000: a port is 0 to 65535.'],
  [['doctor', '--jsno'], 'tabport doctor: there is no --jsno. Did you mean --json?'],
  [['demo', '--in', 'firefox'], 'tabport demo: --in is electron, chromium or node, not "firefox"'],
])('%j', async (args, line) => {
  expect(await runCommand(args)).toEqual({ code: 2, stdout: '', stderr: `${line}\n` })
})

test.each([
  [['--route', 'direct', '--route', 'x://{port}'], /^tabport proxy: --route number 2: route\.upstream .*\n$/],
  [['--route', 'direct', '--listen', '0.0.0.0:0'], /^tabport proxy: --listen 0\.0\.0\.0:0: .* loopback.*\n$/],
  [['--route', 'direct', '--listen', 'nowhere'], /^tabport: --listen must be .*\n$/],
  [['--route', 'direct', '--upstream-proxy', 'ftp://a'], /^tabport: --upstream-proxy must be .*\n$/],
])('what the engine refuses is a wrong command line, too: %j', async (args, line) => {
  expect(await runCommand(['proxy', ...args])).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(line) })
})

test('a folder for the authority that cannot be had is named as the flag is', async () => {
  const { code, stderr } = await runCommand([
    'proxy',
    '--route',
    'direct',
    '--ca-directory',
    fileURLToPath(import.meta.url),
  ])
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^tabport: --ca-directory: /)])
})

test('help goes to standard output where it was asked for', async () => {
  for (const args of [['--help'], ['proxy', '--help'], ['doctor', '-h'], ['demo', '--help']]) {
    const { code, stdout, stderr } = await runCommand(args)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('Usage: tabport')
    for (const line of stdout.split('\n')) expect.soft(line.length, line).toBeLessThanOrEqual(120)
  }
  expect(await runCommand([])).toMatchObject({ code: 2, stdout: '' })
})

test('the version is the package’s', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(await runCommand(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})

describe('--route', () => {
  test.each([
    ['http://127.18.0.1:{port}', { upstream: 'http://127.18.0.1:{port}' }],
    ['gateway:http://10.0.0.5:39379', { cmuxProxyOrigin: 'http://10.0.0.5:39379' }],
    ['gateway:http://10.0.0.5:39379,w-1', { cmuxProxyOrigin: 'http://10.0.0.5:39379', workspace: 'w-1' }],
    ['direct', undefined],
    ['cmux:id=abc,scope=base', { upstream: 'https://cmux-abc-base-{port}.cmux.app' }],
    ['codespaces:name=octo-mld5', { upstream: 'https://octo-mld5-{port}.app.github.dev' }],
    ['e2b:sandbox=abc,domain=e2b.example', { upstream: 'https://{port}-abc.e2b.example' }],
    ['https://octo-mld5-3000.app.github.dev/a?b', { upstream: 'https://octo-mld5-{port}.app.github.dev' }],
  ])('%s', (text, route) => {
    expect(parseRoute(text)).toEqual(route)
  })

  test.each([
    ['codespace:name=x', 'there is no kind of route "codespace". Did you mean codespaces?'],
    ['codespaces:nam=x', 'it has no field "nam". Did you mean name?'],
    ['codespaces:', 'name must be given: codespaces:name=…'],
    ['coder:agent=main', 'workspace and user and domain must be given: coder:workspace=…'],
    ['codespaces:name=x,name=y', 'name is given twice.'],
    ['codespaces:name=a b', 'name'],
    ['http://10.0.0.5:39379', '(A template has a {port}; a gateway is gateway:URL.)'],
    ['', 'there is no kind of route ""'],
  ])('%s is refused', (text, message) => {
    expect(() => parseRoute(text)).toThrow(message)
  })
})

test.each([
  [undefined, { autoPort: { start: 39385, attempts: 50 } }],
  ['8080', { port: 8080 }],
  ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ['[::1]:8080', { host: '::1', port: 8080 }],
  ['::1', { host: '::1', autoPort: { start: 39385, attempts: 50 } }],
  ['localhost', { host: 'localhost', autoPort: { start: 39385, attempts: 50 } }],
])('--listen %s', (text, options) => {
  expect(parseListen(text)).toEqual(options)
})

test.each([
  ['prxy', ' Did you mean proxy?'],
  ['proxy', ' Did you mean proxy?'],
  ['xyz', ''],
])('%s suggests%s', (word, suggestion) => {
  expect(suggest(word, ['doctor', 'proxy'])).toBe(suggestion)
})
