// A proxy in a process of its own, and what the system knows of that process. The figures come from /proc,
// so whatever uses them runs on Linux only.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ListenOptions, ProxyContextInfo, ProxyStats } from 'tabport'
import { onTestFinished } from 'vitest'
import { until } from './poll.ts'

const PROGRAM = fileURLToPath(new URL('./programs/proxy.cjs', import.meta.url))
const MIB = 1024 * 1024
/** One tick of `/proc/PID/stat`: USER_HZ is 100 wherever Node runs. */
const TICKS_PER_SECOND = 100

interface Start {
  options?: Omit<ListenOptions, 'onEvent'>
  /** The process's limit on descriptors, set by its shell as `ulimit -n`. */
  descriptors?: number
}

export class ProxyProcess {
  private calls = 0
  private listening = 0

  private constructor(private readonly child: ChildProcess) {
    child.setMaxListeners(0)
  }

  /** Starts the process and the proxy in it. Both end with the test. */
  static async start({ options = {}, descriptors }: Start = {}): Promise<ProxyProcess> {
    const started = await ProxyProcess.idle({ descriptors })
    await started.listen(options)
    return started
  }

  /** Starts the process, with the addon loaded and nothing running. */
  static async idle({ descriptors }: Pick<Start, 'descriptors'> = {}): Promise<ProxyProcess> {
    const limit = descriptors ? `ulimit -n ${descriptors}; ` : ''
    const command = `${limit}exec "$0" --expose-gc "$1"`
    const child = spawn('sh', ['-c', command, process.execPath, PROGRAM], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const ended = once(child, 'exit')
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await ended
    })
    const started = new ProxyProcess(child)
    await started.call('collect')
    return started
  }

  async listen(options: Omit<ListenOptions, 'onEvent'> = {}): Promise<void> {
    this.listening = (await this.call('listen', options)) as number
  }

  /** As a `ProxyServer` has it, so that a client can be pointed at either. */
  port = (): number => this.listening

  createContext(id: number, ...route: unknown[]): Promise<ProxyContextInfo> {
    return this.call('createContext', id, ...route) as Promise<ProxyContextInfo>
  }

  stats = () => this.call('stats') as Promise<ProxyStats>

  stop = () => this.call('stop') as Promise<void>

  /** It has not ended, and its JavaScript thread answers. */
  async isAlive(): Promise<boolean> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return false
    await this.call('collect')
    return true
  }

  descriptors = (): number => readdirSync(this.proc('fd')).length

  /** Seconds of processor time used so far, by all threads. */
  processorTime(): number {
    const stat = readFileSync(this.proc('stat'), 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  }

  /** Resident memory in MiB, once garbage is collected. */
  async memory(): Promise<number> {
    await this.call('collect')
    return this.status('VmRSS')
  }

  /** From now on `peakMemory` says how far resident memory has gone. */
  async watchMemory(): Promise<number> {
    const base = await this.memory()
    writeFileSync(this.proc('clear_refs'), '5')
    return base
  }

  peakMemory = (): number => this.status('VmHWM')

  /** Waits until the process holds no more descriptors than it did. */
  async returnsTo(descriptors: number, deadlineMs = 10_000): Promise<void> {
    const held = () => `${this.descriptors()} descriptors`
    const back = until('', () => this.descriptors() <= descriptors, deadlineMs)
    await back.catch(() => Promise.reject(new Error(`${held()} are held after ${deadlineMs} ms, not ${descriptors}`)))
  }

  private status(field: string): number {
    const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(this.proc('status'), 'utf8'))
    return (Number(line?.[1]) * 1024) / MIB
  }

  private proc = (file: string) => `/proc/${this.child.pid}/${file}`

  private call(call: string, ...args: unknown[]): Promise<unknown> {
    this.calls += 1
    const number = this.calls
    return new Promise((resolve, reject) => {
      const settle = (answer: { number: number; value?: unknown; failure?: string }) => {
        if (answer.number !== number) return
        forget()
        if (answer.failure === undefined) resolve(answer.value)
        else reject(new Error(answer.failure))
      }
      const die = () => {
        forget()
        reject(new Error(`the proxy's process is gone: ${this.child.exitCode ?? this.child.signalCode}`))
      }
      const forget = () => this.child.off('message', settle).off('exit', die)
      this.child.on('message', settle).on('exit', die)
      this.child.send({ number, call, args })
    })
  }
}
