// The proxy is a guest: it neither keeps its process alive nor brings it down.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const program = (name: string) => fileURLToPath(new URL(`./support/programs/${name}`, import.meta.url))

test('a process with nothing else to do ends, though its proxy runs', async () => {
  expect(await run(program('stays-running.cjs'), 10_000)).toEqual({ code: 0, signal: null, stdout: 'running\n' })
})

test('worker threads may exit while their proxy runs', async () => {
  const round = `${JSON.stringify(Array.from({ length: 20 }, () => 7))}\n`
  const ended = await run(program('exits-in-workers.cjs'), 60_000)
  expect(ended).toEqual({ code: 0, signal: null, stdout: round.repeat(3) })
}, 70_000)

test('an event listener that throws is an uncaught exception, and the proxy goes on', async () => {
  const ended = await run(program('listener-throws.cjs'), 10_000)
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'uncaught: from the listener\nstill served: 407\n' })
})

test('the package can be imported as an ES module', async () => {
  const code = "import { ProxyServer } from 'tabport'; console.log(typeof ProxyServer.listen)"
  expect(await run('--input-type=module', 10_000, '-e', code)).toMatchObject({ code: 0, stdout: 'function\n' })
})

function run(...[first, timeout, ...rest]: [string, number, ...string[]]) {
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  return new Promise<{ code: unknown; signal: unknown; stdout: string }>((resolve) => {
    execFile(process.execPath, [first, ...rest], { timeout, cwd }, (error, stdout) => {
      resolve({ code: error ? error.code : 0, signal: error?.signal ?? null, stdout })
    })
  })
}
