/**
 * Reads DER (ITU-T X.690), the encoding of certificates, one level at a time: what is inside an element stays bytes until
 * somebody asks. Electron 9's Node cannot read a certificate, so this much of it is ours.
 *
 * Strictly: there is one way to write a length, and nothing may stand before, between or after the elements.
 */

export interface Element {
  readonly tag: number
  readonly contents: Buffer
  /** The contents with their header. */
  readonly whole: Buffer
}

/** The elements that follow one another in these bytes; none at all where one of them is not whole, or not DER. */
export function elements(bytes: Buffer): Element[] {
  const found: Element[] = []
  let rest = bytes
  while (rest.length > 0) {
    const header = readHeader(rest)
    if (!header || header.end > rest.length) return []
    const whole = rest.subarray(0, header.end)
    found.push({ tag: header.tag, contents: whole.subarray(header.start), whole })
    rest = rest.subarray(header.end)
  }
  return found
}

/** Of lengths, those that section 10.1 allows, up to two bytes: no certificate of ours is larger. */
function readHeader(bytes: Buffer): { tag: number; start: number; end: number } | undefined {
  const [tag, first, second, third] = bytes
  if (tag === undefined || first === undefined) return undefined
  if (first < 0x80) return { tag, start: 2, end: 2 + first }
  if (first === 0x81 && second !== undefined && second >= 0x80) return { tag, start: 3, end: 3 + second }
  if (first !== 0x82 || second === undefined || third === undefined || second === 0) return undefined
  return { tag, start: 4, end: 4 + second * 0x100 + third }
}
