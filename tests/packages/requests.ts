/** A request through the installed package: its proxy leads a localhost to an origin, which says what it was asked. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'vitest'
import type { Consumer } from './consumer.ts'

export interface Origin {
  readonly port: number
  close(): Promise<void>
}

export async function startOrigin(): Promise<Origin> {
  const server = createServer(({ headers }, response) => response.end(`origin saw ${headers.host}`))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { port, close: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** Sends one request through a proxy of a context with a route, and prints what the origin answered. */
const REQUEST = `
  const proxy = await ProxyServer.start('127.0.0.1:0', true)
  const { username, password } = proxy.createContext(1, { upstream: 'http://127.0.0.1:{port}' })
  const credentials = Buffer.from(username + ':' + password).toString('base64')
  const headers = { host: 'localhost:' + ORIGIN, 'proxy-authorization': 'Basic ' + credentials }
  const options = { port: proxy.port(), path: 'http://localhost:' + ORIGIN + '/', headers, agent: false }
  const answer = await new Promise((resolve, reject) => get(options, resolve).on('error', reject))
  let body = ''
  for await (const chunk of answer) body += chunk
  console.log(answer.statusCode, body, WIRING.slice(-9))
  await proxy.stop()
`

function writePrograms(consumer: Consumer, { port }: Origin): void {
  const origin = `const ORIGIN = ${port}`
  const required = `const { get } = require('node:http'); const { ProxyServer } = require('tabport')
    const WIRING = require.resolve('tabport/electron')`
  const imported = `import { get } from 'node:http'; import { ProxyServer } from 'tabport'
    const WIRING = import.meta.resolve('tabport/electron')`
  consumer.write('require.cjs', `${required}\n${origin}\n;(async () => {${REQUEST}})()`)
  consumer.write('import.mjs', `${imported}\n${origin}\n${REQUEST}`)
}

/** One request with each way to load the package. `flags` are Node's. */
export async function expectRequests(consumer: Consumer, origin: Origin, ...flags: string[]): Promise<void> {
  writePrograms(consumer, origin)
  for (const [program, wiring] of [
    ['require.cjs', 'index.cjs'],
    ['import.mjs', 'index.mjs'],
  ]) {
    const { status, output } = await consumer.node(...flags, program!)
    expect.soft(output, program).toBe(`200 origin saw 127.0.0.1:${origin.port} ${wiring}\n`)
    expect.soft(status, program).toBe(0)
  }
}
