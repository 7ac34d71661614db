// A Chromium that is spoken to over a pipe, in its DevTools protocol: messages of JSON, each ended by a zero byte. That
// is how it is given a browser context with a proxy and with that proxy's credentials, for which it has no flag.
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

type Fields = Record<string, unknown>
type Listener = (method: string, params: Fields, sessionId?: string) => void

interface Message {
  id?: number
  method?: string
  params?: Fields
  sessionId?: string
  result?: Fields
  error?: { message: string }
}

const OVER = 'the browser has ended'

export class DevTools {
  readonly ended: Promise<void>
  readonly #chromium: ChildProcess
  readonly #waiting = new Map<number, (message: Message) => void>()
  readonly #listeners: Listener[] = []
  #last = 0
  #over = false

  constructor(executable: string, args: string[]) {
    const pipes = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const
    this.#chromium = spawn(executable, ['--remote-debugging-pipe', ...args], { stdio: [...pipes] })
    this.ended = new Promise((resolve) => {
      this.#chromium.once('exit', () => resolve()).once('error', () => resolve())
    })
    this.ended.then(() => this.#fail())
    this.#read(this.#chromium.stdio[4] as Readable)
    // A browser that is gone is told of by `ended`.
    this.#pipe.on('error', () => {})
  }

  /** Sends a command, to the browser or to one page's session, and gives its result. */
  send(method: string, params: Fields = {}, sessionId?: string): Promise<Fields> {
    if (this.#over) return Promise.reject(new Error(OVER))
    const id = ++this.#last
    this.#pipe.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error) reject(new Error(`Chromium: ${method}: ${error.message}`))
        else resolve(result ?? {})
      })
    })
  }

  on(listener: Listener): void {
    this.#listeners.push(listener)
  }

  /** Ends the browser, and resolves when it has ended. */
  async close(): Promise<void> {
    this.send('Browser.close').catch(() => {})
    await this.ended
  }

  get #pipe(): Writable {
    return this.#chromium.stdio[3] as Writable
  }

  #read(pipe: Readable): void {
    let rest = ''
    pipe.setEncoding('utf8').on('data', (text: string) => {
      const messages = (rest + text).split('\0')
      rest = messages.pop() ?? ''
      for (const message of messages) this.#receive(JSON.parse(message))
    })
  }

  #receive(message: Message): void {
    const { id, method, params = {}, sessionId } = message
    if (id === undefined) for (const listener of this.#listeners) listener(method ?? '', params, sessionId)
    else this.#waiting.get(id)?.(message)
  }

  #fail(): void {
    this.#over = true
    for (const settle of this.#waiting.values()) settle({ error: { message: OVER } })
    this.#waiting.clear()
  }
}
