// A bad network: a relay between two peers that delays, trickles, stalls, cuts or resets what passes, in each
// direction by itself, at a byte of the test's choice or when the test says so.
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'

/** How a connection ends: in order, as when a process exits, or broken off. */
export type Ending = 'cut' | 'reset'

/** What happens to the bytes of one direction. Without a member they just pass. */
export interface Fault {
  /** How long each piece is held back. */
  delayMs?: number
  /** The most bytes that pass at once. */
  pieces?: number
  /** After so many bytes, the connection ends, both ways; a stall only moves nothing more in this direction. */
  after?: number
  /** How it ends. */
  by?: Ending | 'stall'
}

/** What happens to one connection: `up` is towards the target. */
export interface Plan {
  up?: Fault
  down?: Fault
}

export interface Relay {
  port: number
  /** Connections accepted so far. */
  connections: number
  /** Those that are open. */
  open: Set<unknown>
  /** Ends every open connection. */
  kill(how: Ending): void
  /** Stops listening, as a server that is down. */
  close(): Promise<void>
}

/** Relays to a port of this machine. The plan may depend on the connection's number, from 0. */
export async function startRelay(
  target: { port: number },
  plan: Plan | ((connection: number) => Plan) = {},
  port = 0,
): Promise<Relay> {
  const links = new Set<Link>()
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = net.connect({ port: target.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const link = new Link(near, far, typeof plan === 'function' ? plan(relay.connections) : plan)
    relay.connections += 1
    links.add(link)
    near.once('close', () => links.delete(link))
  })
  const relay: Relay = {
    port: 0,
    connections: 0,
    open: links,
    kill: (how) => {
      for (const link of links) link.end(how)
    },
    close: () => {
      relay.kill('reset')
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  relay.port = (server.address() as AddressInfo).port
  onTestFinished(() => relay.close())
  return relay
}

/** One connection through the relay. */
class Link {
  constructor(
    private readonly near: Socket,
    private readonly far: Socket,
    plan: Plan,
  ) {
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      // What breaks one side breaks the other; an orderly end passes as an end.
      one.on('error', () => other.resetAndDestroy())
    }
    this.pass(near, far, plan.up).catch(() => {})
    this.pass(far, near, plan.down).catch(() => {})
  }

  end(how: Ending) {
    for (const socket of [this.near, this.far]) {
      if (how === 'reset') socket.resetAndDestroy()
      else socket.destroySoon()
    }
  }

  private async pass(from: Socket, to: Socket, { delayMs, pieces, after = Infinity, by = 'cut' }: Fault = {}) {
    let left = after
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      for (const piece of split(chunk.subarray(0, left), pieces)) {
        if (delayMs) await sleep(delayMs)
        await new Promise((written) => to.write(piece, written))
        left -= piece.length
      }
      if (left > 0) continue
      return by === 'stall' ? undefined : this.end(by)
    }
    to.end()
  }
}

function* split(chunk: Buffer, size = chunk.length): Generator<Buffer> {
  for (let at = 0; at < chunk.length; at += size) yield chunk.subarray(at, at + size)
}
