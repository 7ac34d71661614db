/**
 * The HTTP/2 wire cases, and the ways in that they are run against. The cases are Python's (`cases/`): there is a
 * reader of frames and a decoder of field blocks that are no part of the proxy.
 */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { ProxyServer } from 'tabport'
import { startOrigin } from './origin.mjs'
import { packages } from './packages.mjs'

const PROGRAM = fileURLToPath(new URL('./run.py', import.meta.url))
const AUTHORITY = 'localhost:3000'

/** How the proxy listens for each way in; what a client then does is in `ways.py`. */
export const WAYS = {
  plain: {},
  secure: { secure: true },
  inside: {},
}

/** The names of the cases that there are for a way in. */
export const listCases = async (way) => JSON.parse(await run('list', way))

/** Runs all cases against one way in; tells by its name why each failed, or `null`. */
export async function runCases(way) {
  const origin = await startOrigin()
  const proxy = await ProxyServer.listen(WAYS[way])
  try {
    const told = JSON.stringify(describe(way, proxy, origin))
    const lines = (await run('run', way, told)).trim().split('\n')
    return new Map(lines.map((line) => JSON.parse(line)).map(({ name, failure }) => [name, failure]))
  } finally {
    await proxy.stop()
    origin.close()
  }
}

/** What a client must know. */
function describe(name, proxy, origin) {
  const route = { upstream: `http://127.0.0.1:${origin.port}` }
  const { username, password } = proxy.createContext(1, route)
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  const ca = name === 'plain' ? undefined : proxy.certificateAuthority().pem
  return { name, port: proxy.port(), authority: AUTHORITY, authorization, origin: origin.port, ca }
}

async function run(command, way, told = '') {
  if (!packages.arePresent())
    throw new Error('the Python packages of the HTTP/2 cases are missing: run `npm run setup`')
  const env = { ...process.env, PYTHONPATH: packages.folder, PYTHONDONTWRITEBYTECODE: '1' }
  const child = spawn('python3', [PROGRAM, command, way], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(told)
  const ended = new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  const [output, status] = await Promise.all([text(child.stdout), ended])
  if (status !== 0) throw new Error(`the HTTP/2 cases ended with ${status}`)
  return output
}
