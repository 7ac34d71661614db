// What docs/https.md says about trust, done by those clients: each fails without what the page says, and succeeds with it.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { startProxyCommand } from '../support/command.ts'
import { temporaryFolder } from '../support/https.ts'
import { startWorkspace, text } from '../support/origin.ts'
import { read } from './documents.ts'

const run = promisify(execFile)
const page = read('docs/https.md')

/** `tabport proxy` with an authority that is kept, a server that speaks no TLS, and the proxy's URL with credentials. */
async function start() {
  const { origin } = await startWorkspace(text('in clear'))
  const directory = temporaryFolder()
  const { printed } = await startProxyCommand(['--route', 'http://127.18.0.1:{port}', '--ca-directory', directory])
  const { proxy = '' } = printed.contexts[0] ?? {}
  return { url: `https://localhost:${origin.port}/`, certificate: path.join(directory, 'certificate.pem'), proxy }
}

/** What a client prints, or that it has failed. */
const printed = (program: string, args: string[], env: Record<string, string> = {}) =>
  run(program, args, { env: { PATH: process.env.PATH, ...env } }).then(
    ({ stdout }) => stdout.trim(),
    () => 'failed',
  )

describe('a client that is told to trust the authority', () => {
  test('curl', async () => {
    const { url, certificate, proxy } = await start()
    expect(readFileSync(certificate, 'utf8')).not.toContain('PRIVATE KEY')
    const [line = ''] = page.match(/^curl .*$/m) ?? []
    const [, ...args] = line
      .replace('certificate.pem', certificate)
      .replace(/http:\/\/USER\S+/, proxy)
      .replace(/https:\S+$/, url)
      .replace("''", 'none')
      .split(' ')
    const silent = ['--silent', ...args]
    expect(await printed('curl', silent)).toBe('in clear')
    expect(
      await printed(
        'curl',
        silent.filter((arg) => arg !== '--cacert' && arg !== certificate),
      ),
    ).toBe('failed')
  })

  test('Node', async () => {
    const { url, certificate, proxy } = await start()
    const script = `require('undici').request('${url}', { dispatcher: new (require('undici').ProxyAgent)('${proxy}') })
      .then(({ body }) => body.text()).then((it) => { console.log(it); process.exit(0) })`
    const args = ['-e', script]
    expect(await printed(process.execPath, args, { NODE_EXTRA_CA_CERTS: certificate })).toBe('in clear')
    expect(await printed(process.execPath, args)).toBe('failed')
  })

  test('Python', async () => {
    const { url, certificate, proxy } = await start()
    const script = `from urllib.request import build_opener, ProxyHandler
print(build_opener(ProxyHandler({'https': '${proxy}'})).open('${url}').read().decode())`
    expect(await printed('python3', ['-c', script], { SSL_CERT_FILE: certificate, no_proxy: 'none' })).toBe('in clear')
    expect(await printed('python3', ['-c', script], { no_proxy: 'none' })).toBe('failed')
  })
})
