// What a client makes of the bytes it received: whether they are a whole HTTP/1.1 response, by the letter of
// RFC 9112, section 6.3. Node's own client is more lenient: it takes a reset for the end of a body that ends
// with its connection.

/** How a connection ended, as far as it has. */
export type End = 'open' | 'ended' | 'reset'

export interface Message {
  status: number
  /** What arrived of the body, without its framing. */
  body: Buffer
  whole: boolean
}

const BLANK_LINE = '\r\n\r\n'

/** Reads a response, as far as it is there. */
export function readMessage(received: Buffer, end: End): Message {
  const length = received.indexOf(BLANK_LINE)
  if (length < 0) return { status: 0, body: Buffer.alloc(0), whole: false }
  const head = received.toString('latin1', 0, length)
  const rest = received.subarray(length + BLANK_LINE.length)
  return { status: Number(head.split(' ')[1]), ...readBody(head, rest, end) }
}

function readBody(head: string, rest: Buffer, end: End): Omit<Message, 'status'> {
  if (/^transfer-encoding: *chunked$/im.test(head)) return readChunks(rest)
  const length = /^content-length: *(\d+)$/im.exec(head)
  if (length) {
    const body = rest.subarray(0, Number(length[1]))
    return { body, whole: body.length === Number(length[1]) }
  }
  return { body: rest, whole: end === 'ended' }
}

function readChunks(rest: Buffer): Omit<Message, 'status'> {
  const chunks: Buffer[] = []
  const read = (whole: boolean) => ({ body: Buffer.concat(chunks), whole })
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at)
    if (lineEnd < 0) return read(false)
    const size = Number.parseInt(rest.toString('latin1', at, lineEnd), 16)
    at = lineEnd + 2
    if (size === 0) return read(endsAfterTrailers(rest, at))
    chunks.push(rest.subarray(at, at + size))
    at += size + 2
  }
}

/** The last chunk is followed by trailers, if any, and an empty line. */
const endsAfterTrailers = (rest: Buffer, at: number): boolean =>
  rest.subarray(at, at + 2).equals(Buffer.from('\r\n')) || rest.indexOf(BLANK_LINE, at) >= 0
