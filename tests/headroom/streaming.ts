// Whether a stream arrives as it is sent. No clock tells: the provider sends an event only when the one before has
// arrived, so that a proxy which keeps one back keeps all of them back, for ever.
import { expect } from 'vitest'
import { until } from '../support/poll.ts'
import type { Client } from './clients.ts'
import { PIECES, type Provider } from './provider.ts'

/** How long nothing may come, before it is said that nothing will. */
const PATIENCE_MS = 3_000

/** Asks for a stream by this URL, and fails unless each piece arrives before the next one is sent. */
export async function streamsAsItGoes(client: Client, url: string, provider: Provider): Promise<void> {
  const arrived: string[] = []
  const whole = client.ask(url, 'stream', (piece) => arrived.push(piece))
  whole.catch(() => {})
  for (const [number, piece] of PIECES.entries()) {
    await until(`the piece ${JSON.stringify(piece)} arrives`, () => arrived.length > number, PATIENCE_MS)
    expect(arrived).toEqual(PIECES.slice(0, number + 1))
    provider.acknowledge()
  }
  expect(await whole).toEqual({ text: PIECES.join('') })
}
