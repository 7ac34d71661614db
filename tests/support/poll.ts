import { setTimeout as sleep } from 'node:timers/promises'

const PAUSE_MS = 5

/** Waits until `probe` gives something truthy and returns it; fails with `what` after the deadline. */
export async function until<T>(what: string, probe: () => T | Promise<T>, deadlineMs = 5_000): Promise<NonNullable<T>> {
  const end = Date.now() + deadlineMs
  for (;;) {
    const value = await probe()
    if (value) return value
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await sleep(PAUSE_MS)
  }
}

/** Fails with `what` if the promise is not settled by the deadline. */
export async function within<T>(what: string, promise: Promise<T>, deadlineMs = 5_000): Promise<T> {
  const abort = new AbortController()
  const late = sleep(deadlineMs, undefined, { signal: abort.signal }).then(() => {
    throw new Error(`not within ${deadlineMs} ms: ${what}`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    late.catch(() => {})
    abort.abort()
  }
}
