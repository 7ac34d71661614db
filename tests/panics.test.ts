// A panic in Rust is an error in JavaScript, and the process lives: at every entry, in the background, in callbacks.
// The addon here is built by the set-up with the feature `panic-injection`, which makes any piece of guarded work
// panic. What is not guarded cannot be made to panic, and fails here for that.
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as tabport from 'tabport'
import { request } from 'undici'
import { describe, expect, test, vi } from 'vitest'
import { undiciAgent } from './support/clients.ts'
import { startHttpProxy } from './support/next-proxy.ts'
import { startOrigin, startWorkspace, text } from './support/origin.ts'
import { until } from './support/poll.ts'
import { startObserved, startProxy } from './support/proxy.ts'

/** Set before anything is imported, so that this is the addon that `tabport` loads. */
const addon = await vi.hoisted(async () => {
  const { fileURLToPath } = await import('node:url')
  const path = fileURLToPath(new URL('../target/panics/tabport.node', import.meta.url))
  Object.assign(process.env, { TABPORT_NATIVE_LIBRARY_PATH: path, RUST_BACKTRACE: '0' })
  return path
})

const root = fileURLToPath(new URL('..', import.meta.url))
const { __panicAt: panicAt } = createRequire(import.meta.url)(addon) as { __panicAt(number: number): number }
const internal = { code: 'ERR_TABPORT_INTERNAL', message: 'a bug in tabport: injected' }

const { ProxyServer, presets } = tabport

type Entry = (...args: unknown[]) => unknown

/** All functions of an object, whatever they will be. */
function functions(of: object, prefix = '', from = of): [name: string, entry: Entry][] {
  const names = Object.getOwnPropertyNames(from).filter((name) => name !== 'constructor' && name !== 'prototype')
  const all = names.map((name): [string, unknown] => [`${prefix}${name}`, Reflect.get(of, name)])
  return all.filter((pair): pair is [string, Entry] => typeof pair[1] === 'function' && pair[1] !== ProxyServer)
}

/** What an entry throws or rejects with when the first thing it does is to panic. */
async function failure(entry: Entry, receiver?: unknown): Promise<unknown> {
  panicAt(1)
  const outcome = await (async () => entry.call(receiver))().then(
    (value) => `returned ${value}`,
    (error) => error,
  )
  expect(panicAt(0)).toBe(0)
  return outcome
}

describe('at an entry', () => {
  const standalone = [
    ...functions(ProxyServer, 'ProxyServer.'),
    ...functions(presets, 'presets.'),
    ...functions({ ...tabport, default: undefined }),
  ]

  test('all are known', () => {
    const names = standalone.map(([name]) => name)
    expect(names).toEqual(expect.arrayContaining(['ProxyServer.listen', 'presets.cmux', 'routeFromUrl']))
    expect(names.length).toBeGreaterThanOrEqual(12)
  })

  test.each(standalone)('%s', async (name, entry) => {
    const receiver = name.startsWith('ProxyServer.') ? ProxyServer : undefined
    expect(await failure(entry, receiver)).toMatchObject(internal)
  })

  test('every method of a server, which works on', async () => {
    const proxy = await startProxy()
    const methods = functions(proxy, '', ProxyServer.prototype)
    expect(methods.map(([name]) => name)).toEqual(expect.arrayContaining(['createContext', 'stats', 'stop']))
    for (const [name, method] of methods) expect.soft(await failure(method, proxy), name).toMatchObject(internal)
    expect(proxy.releaseContext(proxy.createContext(1).id)).toBeUndefined()
    await proxy.stop()
    expect(proxy.stats().contexts).toBe(0)
  })
})

describe('in the background', () => {
  test('a server that does not start leaves nothing behind', async () => {
    panicAt(2)
    await expect(ProxyServer.listen()).rejects.toMatchObject(internal)
    expect(panicAt(0)).toBe(0)
    const proxy = await startProxy()
    const port = proxy.port()
    await proxy.stop()
    expect((await startProxy({ port })).port()).toBe(port)
  })

  test('at the end of a worker thread, and of the process', async () => {
    const program = fileURLToPath(new URL('./support/programs/panics-at-exit.cjs', import.meta.url))
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [program], { timeout: 10_000 })
    expect(stdout).toBe('the worker ended with 7, 0 panics to come\n')
    expect(stderr.match(/\binjected$/gm)).toHaveLength(2)
  })
})

describe('in a callback', () => {
  test('on the way to onEvent, it costs the event', async () => {
    const { route, origin } = await startWorkspace(text('answer'))
    const { proxy, events } = await startObserved()
    const dispatcher = undiciAgent(proxy, proxy.createContext(1, route))
    panicAt(1)
    const { body } = await request(`http://localhost:${origin.port}/`, { dispatcher })
    expect(await body.text()).toBe('answer')
    await until('the request is told', () => events.some(({ type }) => type === 'request'))
    expect(events.some(({ type }) => type === 'connection')).toBe(false)
    expect(proxy.stats().total.eventsDropped).toBe(1)
  })

  const asked = new Error('from the function')
  test.each<[how: string, at: number, answer: (url: string) => unknown]>([
    ['a URL', 1, (url) => url],
    ['an exception', 1, () => raise(asked)],
    ['a promise', 1, async (url) => url],
    ['what a promise resolves to', 2, async (url) => url],
    ['what a promise is rejected with', 2, async () => raise(asked)],
  ])('in taking %s from upstreamProxy, it costs the request', async (_how, at, answer) => {
    const origin = await startOrigin(text('answer'))
    const next = await startHttpProxy({ to: origin.port })
    const url = `http://${next.at}`
    let ask: (url: string) => unknown = answer
    const proxy = await startProxy({ upstreamProxy: (() => ask(url)) as () => string })
    const dispatcher = undiciAgent(proxy, proxy.createContext(1))
    panicAt(at)
    const failed = await request('http://site.example/', { dispatcher })
    expect([failed.statusCode, await failed.body.text()]).toEqual([502, expect.stringContaining('there was no answer')])
    expect(panicAt(0)).toBe(0)
    ask = () => url
    const { body } = await request('http://site.example/', { dispatcher })
    expect(await body.text()).toBe('answer')
  })
})

describe('what is released', () => {
  const holds = (file: string, text: string) => readFileSync(file).includes(text)

  test('has no way to make it panic', () => {
    const released = readdirSync(root).filter((name) => name.endsWith('.node'))
    expect(released).not.toHaveLength(0)
    for (const name of released) expect(holds(`${root}${name}`, '__panicAt')).toBe(false)
    expect(holds(addon, '__panicAt')).toBe(true)
    expect(readFileSync(`${root}index.d.ts`, 'utf8')).not.toContain('panic')
  })

  test('unwinds', () => {
    const manifests = ['Cargo.toml', 'native/engine/Cargo.toml', 'native/node/Cargo.toml']
    const [workspace = ''] = manifests.map((name) => readFileSync(`${root}${name}`, 'utf8'))
    const [, profile = ''] = workspace.split(/^\[profile\.release\]$/m)
    expect(profile.split(/^\[/m)[0]).toMatch(/^panic = "unwind"$/m)
    for (const name of manifests) expect(holds(`${root}${name}`, '"abort"'), name).toBe(false)
  })
})

function raise(error: Error): never {
  throw error
}
