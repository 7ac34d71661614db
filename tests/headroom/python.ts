// A provider's Python client, in a process of its own that does one task after another.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Client, ProviderName, Told } from './clients.ts'
import { packages } from './packages.mjs'
import type { Task } from './provider.ts'

const PROGRAM = fileURLToPath(new URL('./programs/client.py', import.meta.url))

export class PythonClient implements Client {
  readonly language = 'Python'
  private readonly child: ChildProcess
  private readonly lines: Interface

  constructor(readonly provider: ProviderName) {
    if (!packages.arePresent()) throw new Error('the Python clients are missing: run `npm run setup`')
    const env = { PATH: process.env.PATH, PYTHONPATH: packages.folder, PYTHONDONTWRITEBYTECODE: '1' }
    this.child = spawn('python3', [PROGRAM, provider], { env, stdio: ['pipe', 'pipe', 'inherit'] })
    this.lines = createInterface({ input: this.child.stdout! })
  }

  async ask(url: string, task: Task, onPiece: (piece: string) => unknown = () => {}): Promise<Told> {
    return (await this.run(url, task, onPiece)) as Told
  }

  async giveUp(url: string): Promise<void> {
    await this.run(url, 'give up', () => {})
  }

  async end() {
    if (this.child.exitCode !== null) return
    const ended = once(this.child, 'close')
    this.child.kill('SIGKILL')
    await ended
  }

  /** It writes a line for each piece, and another at the end. */
  private run(url: string, task: string, onPiece: (piece: string) => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const gone = () => reject(new Error('the Python client has ended'))
      const onLine = (line: string) => {
        const { piece, told, broken } = JSON.parse(line)
        if (piece !== undefined) return onPiece(piece)
        this.lines.off('line', onLine).off('close', gone)
        if (broken === undefined) resolve(told)
        else reject(new Error(broken))
      }
      this.lines.on('line', onLine).once('close', gone)
      this.child.stdin?.write(`${JSON.stringify({ url, task })}\n`)
    })
  }
}
