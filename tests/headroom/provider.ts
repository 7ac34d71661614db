// A stub of the two providers: the JSON and the event streams that OpenAI and Anthropic document, one answer for each
// model that a client asks for. A stream sends its next event only when the test says that the last one has arrived.
import { createHash } from 'node:crypto'
import { EventEmitter, on } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { type Origin, startOrigin } from '../support/origin.ts'
import * as anthropic from './anthropic.ts'
import * as openai from './openai.ts'

/** The pieces that a stream's text comes in; the second does not fit in one byte a letter. */
export const PIECES = ['One, ', '二、🙂 ', 'three.']

/** What a client asks for, as the model's name. */
export type Task = 'plain' | 'stream' | 'tool' | 'gzip' | 'image' | 'limited' | 'refused'

/** What the provider answers, less what is the same for both. */
export interface Dialect {
  path: string
  /** The field that names the provider's own request. */
  idField: string
  answer(text: string): unknown
  toolCall(): unknown
  /** The events of a stream, as they are on the wire: what precedes the text, the pieces, and what follows. */
  events(pieces: string[]): { before: string[]; pieces: string[]; after: string[] }
  failure(type: string, message: string): unknown
  /** The bytes of the image in a request. */
  image(request: unknown): string
}

export const DIALECTS: Record<'openai' | 'anthropic', Dialect> = { openai, anthropic }

/** What a request was, so that two can be compared. */
export interface Asked {
  method: string
  url: string
  fields: [string, string][]
  digest: string
}

export interface Provider {
  origin: Origin
  url: string
  asked: Asked[]
  /** Streams that a client has given up. */
  abandoned: number
  /** Tells the stream that its last piece of text has arrived. */
  acknowledge(): unknown
}

export const REQUEST_ID = 'req_of_the_provider'

export async function startProvider(name: 'openai' | 'anthropic'): Promise<Provider> {
  const dialect = DIALECTS[name]
  const client = new EventEmitter()
  const origin = await startOrigin(async (request, response) => {
    const body = await buffer(request)
    provider.asked.push(asked(request, body))
    response.setHeader(dialect.idField, REQUEST_ID)
    const told = JSON.parse(body.toString())
    if (request.url !== dialect.path) return json(response, 404, dialect.failure('not_found_error', 'no such path'))
    if (told.model !== 'stream') return respond(dialect, told, request, response)
    response.once('close', () => {
      if (!response.writableFinished) provider.abandoned += 1
    })
    await stream(dialect, response, client)
  })
  const acknowledge = () => client.emit('arrived')
  const provider: Provider = { origin, url: `http://127.0.0.1:${origin.port}`, asked: [], abandoned: 0, acknowledge }
  return provider
}

function asked({ method = '', url = '', rawHeaders }: IncomingMessage, body: Buffer): Asked {
  const fields = rawHeaders.flatMap((name, at): [string, string][] =>
    at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? '']] : [],
  )
  return { method, url, fields, digest: digest(body) }
}

const digest = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')

function respond(dialect: Dialect, told: { model: Task }, request: IncomingMessage, response: ServerResponse) {
  switch (told.model) {
    case 'tool':
      return json(response, 200, dialect.toolCall())
    case 'gzip':
      if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) break
      response.setHeader('Content-Encoding', 'gzip')
      return json(response, 200, dialect.answer('pressed'), gzipSync)
    case 'image':
      return json(response, 200, dialect.answer(digest(dialect.image(told))))
    case 'limited':
      response.setHeader('Retry-After', '7')
      return json(response, 429, dialect.failure('rate_limit_error', 'too many'))
    case 'refused':
      return json(response, 401, dialect.failure('authentication_error', 'no such key'))
    case 'plain':
      return json(response, 200, dialect.answer('hello'))
  }
  return json(response, 400, dialect.failure('invalid_request_error', `no such task: ${told.model}`))
}

function json(response: ServerResponse, status: number, value: unknown, encode = (text: string) => Buffer.from(text)) {
  const body = encode(JSON.stringify(value))
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body)
}

async function stream(dialect: Dialect, response: ServerResponse, client: EventEmitter) {
  const arrived = on(client, 'arrived')
  const { before, pieces, after } = dialect.events(PIECES)
  response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache' })
  for (const event of before) response.write(event)
  for (const event of pieces) {
    response.write(event)
    await arrived.next()
  }
  for (const event of after) response.write(event)
  response.end()
}
