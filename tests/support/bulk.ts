// Many bytes, made as they are asked for and compared as they arrive, so that neither end keeps them.
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'

/** Divides no power of two, so that bytes lost in whole buffers are noticed too. */
const PERIOD = 65_521
const once = randomBytes(PERIOD)
const twice = Buffer.concat([once, once])

/** A stream of so many bytes. */
export class Source extends Readable {
  /** Handed out so far. */
  made = 0

  constructor(private readonly total: number) {
    super({ highWaterMark: PERIOD })
  }

  override _read() {
    const piece = once.subarray(0, Math.min(PERIOD, this.total - this.made))
    this.made += piece.length
    this.push(piece.length > 0 ? piece : null)
  }
}

/** Sees whether what arrives is what such a stream gives. */
export class Check {
  received = 0
  intact = true

  take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += PERIOD) {
      const piece = bytes.subarray(at, at + PERIOD)
      const place = this.received % PERIOD
      if (!piece.equals(twice.subarray(place, place + piece.length))) this.intact = false
      this.received += piece.length
    }
  }
}
