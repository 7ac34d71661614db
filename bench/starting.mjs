// How a contender is started: a program of ours says where it listens, any other is given a file and a port.
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { accepts, Child } from './children.mjs'
import { program, runtime } from './paths.mjs'

export const native = (name, ...args) => announced(program(name), args)
export const inNode = (script) => announced(process.execPath, [runtime, script])

/** Starts a program of the bench's own, which says in JSON where it listens. */
async function announced(command, args) {
  const child = new Child(command, args)
  return { child, ...(await child.answer()) }
}

/** Starts one of the repository's own programs, which says so in words. */
export async function listening(command, args) {
  const child = new Child(command, args)
  const said = await child.line()
  return { child, port: Number(/^listening on .*:(\d+)$/.exec(said)[1]) }
}

/** Starts a program that reads what it is to do from a file of these lines. */
export async function configured(bin, args, file, lines, env, port) {
  writeFileSync(file, `${lines.join('\n')}\n`)
  const child = new Child(bin, [...args, file], { env })
  await child.until('accepts connections', () => accepts(net, port))
  return { child, port }
}

/** A port that is free now: those that are configured cannot be asked which one they took. */
export function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
