// When a command that runs until it is told to stop stops: at the first signal in good order, at the second at once.

const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const

export interface Ending {
  /** Resolves at the first SIGINT or SIGTERM. */
  told: Promise<void>
  /** Lets the process end by itself. */
  forget(): void
}

/** Waits for a signal, and keeps the process alive meanwhile, which the proxy does not. */
export function awaitSignal(): Ending {
  const alive = setInterval(() => {}, 0x7fff_ffff)
  const told = new Promise<void>((resolve) => {
    let ending = false
    for (const [signal, number] of Object.entries(SIGNALS)) {
      process.on(signal, () => {
        if (ending) process.exit(128 + number)
        ending = true
        resolve()
      })
    }
  })
  return { told, forget: () => clearInterval(alive) }
}
