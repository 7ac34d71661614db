// A client that says exactly what a test tells it to say, byte for byte.
import net, { type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { until } from './poll.ts'

export interface Head {
  status: number
  /** In order, names as sent. */
  fields: [name: string, value: string][]
  /** The values of one field, by any spelling of its name. */
  all(name: string): string[]
}

export class RawClient {
  received = Buffer.alloc(0)
  /** The peer has ended its side, or the connection is gone. */
  ended = false
  closed = false

  private constructor(readonly socket: Socket) {
    socket.on('data', (bytes) => {
      this.received = Buffer.concat([this.received, bytes])
    })
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.ended = true
      this.closed = true
    })
  }

  /** Speaks on a connection that is open already, such as one inside TLS. */
  static over(socket: Socket): RawClient {
    return new RawClient(socket)
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = net.connect({ port, host, allowHalfOpen: true, noDelay: true })
    const client = new RawClient(socket)
    onTestFinished(() => {
      socket.destroy()
    })
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return client
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(bytes)
    return this
  }

  /** Takes a message's head off what was received. */
  async head(): Promise<Head> {
    const end = await until('a response head', () => {
      if (this.ended && !this.received.includes('\r\n\r\n')) throw new Error(`ended after: ${this.received}`)
      return this.received.indexOf('\r\n\r\n') + 1
    })
    const lines = this.take(end + 3)
      .trimEnd()
      .split('\r\n')
    const fields = lines.slice(1).map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    })
    const all = (name: string) => fields.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, v]) => v)
    return { status: Number(lines[0]?.split(' ')[1]), fields, all }
  }

  /** Takes a head and the body that its `Content-Length` announces. */
  async response(): Promise<Head & { body: string }> {
    const head = await this.head()
    return { ...head, body: await this.bytes(Number(head.all('Content-Length')[0] ?? 0)) }
  }

  /** Takes that many bytes. */
  async bytes(length: number): Promise<string> {
    await until(`${length} bytes`, () => {
      if (this.ended && this.received.length < length) throw new Error(`ended after: ${this.received}`)
      return this.received.length >= length
    })
    return this.take(length)
  }

  /** Everything up to the end of the connection. */
  async rest(deadlineMs?: number): Promise<string> {
    await until('the end of the connection', () => this.ended, deadlineMs)
    return this.take(this.received.length)
  }

  private take(length: number): string {
    const taken = this.received.subarray(0, length).toString('latin1')
    this.received = this.received.subarray(length)
    return taken
  }
}
