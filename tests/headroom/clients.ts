// The official clients of both providers, in JavaScript and in Python, behind one face: what each has understood of an
// answer is told in the same words, so that what it learns through a proxy can be held against what it learns without.
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import type { Task } from './provider.ts'
import { PythonClient } from './python.ts'

export type ProviderName = 'openai' | 'anthropic'

/** What a client has understood. */
export interface Told {
  text?: string
  tool?: { name: string; arguments: unknown }
  /** The provider's name for the request, as the client exposes it. */
  id?: string | null
  encoding?: string | null
  failure?: { class: string; status: number; type: unknown; retryAfter: string | null; id: string | null }
}

export interface Client {
  readonly provider: ProviderName
  readonly language: string
  /** Does a task. `onPiece` is called with each piece of a stream's text as it arrives. */
  ask(url: string, task: Task, onPiece?: (piece: string) => unknown): Promise<Told>
  /** Opens a stream, and gives it up after the first piece of text. */
  giveUp(url: string): Promise<void>
  end(): Promise<void>
}

export const KEY = 'sk-planted-key'

/** As large as a photograph, in base64. */
const IMAGE = Buffer.alloc((5_000_000 / 4) * 3, 'tabport').toString('base64')

/** All four; they end with `end`. */
export const startClients = (): Client[] => [
  new OpenAIClient(),
  new AnthropicClient(),
  new PythonClient('openai'),
  new PythonClient('anthropic'),
]

abstract class NodeClient {
  readonly language = 'JavaScript'

  async ask(url: string, task: Task, onPiece: (piece: string) => unknown = () => {}): Promise<Told> {
    try {
      return await (task === 'stream' ? this.stream(url, onPiece) : this.create(url, task))
    } catch (error) {
      return { failure: this.failure(error) }
    }
  }

  async giveUp(url: string): Promise<void> {
    for await (const _ of this.pieces(url)) return
  }

  async end() {}

  protected abstract create(url: string, task: Task): Promise<Told>
  protected abstract pieces(url: string): AsyncIterable<string>
  protected abstract failure(error: unknown): Told['failure']

  private async stream(url: string, onPiece: (piece: string) => unknown): Promise<Told> {
    let text = ''
    for await (const piece of this.pieces(url)) {
      text += piece
      onPiece(piece)
    }
    return { text }
  }
}

class OpenAIClient extends NodeClient implements Client {
  readonly provider = 'openai'

  protected async create(url: string, task: Task): Promise<Told> {
    const call = this.client(url).chat.completions.create({ model: task, messages: this.messages(task) })
    const { data, response, request_id } = await call.withResponse()
    const { content, tool_calls } = data.choices[0]?.message ?? {}
    const [tool] = tool_calls ?? []
    return {
      ...(content && { text: content }),
      ...(tool?.type === 'function' && {
        tool: { name: tool.function.name, arguments: JSON.parse(tool.function.arguments) },
      }),
      id: request_id,
      encoding: response.headers.get('content-encoding'),
    }
  }

  protected async *pieces(url: string) {
    const messages = this.messages('stream')
    const stream = await this.client(url).chat.completions.create({ model: 'stream', stream: true, messages })
    for await (const chunk of stream) {
      const piece = chunk.choices[0]?.delta.content
      if (piece) yield piece
    }
  }

  protected failure(error: unknown): Told['failure'] {
    if (!(error instanceof OpenAI.APIError) || error.status === undefined) throw error
    const { status, type, headers, requestID } = error
    const retryAfter = headers?.get('retry-after') ?? null
    return { class: error.constructor.name, status, type, retryAfter, id: requestID ?? null }
  }

  private client = (url: string) => new OpenAI({ apiKey: KEY, baseURL: `${url}/v1`, maxRetries: 0 })

  private messages(task: Task) {
    const image = { type: 'image_url' as const, image_url: { url: `data:image/png;base64,${IMAGE}` } }
    const text = { type: 'text' as const, text: 'Grüße' }
    return [{ role: 'user' as const, content: task === 'image' ? [text, image] : [text] }]
  }
}

class AnthropicClient extends NodeClient implements Client {
  readonly provider = 'anthropic'

  protected async create(url: string, task: Task): Promise<Told> {
    const call = this.client(url).messages.create(this.request(task))
    const { data, response, request_id } = await call.withResponse()
    const [block] = data.content
    return {
      ...(block?.type === 'text' && { text: block.text }),
      ...(block?.type === 'tool_use' && { tool: { name: block.name, arguments: block.input } }),
      id: request_id,
      encoding: response.headers.get('content-encoding'),
    }
  }

  protected async *pieces(url: string) {
    const stream = await this.client(url).messages.create({ ...this.request('stream'), stream: true })
    for await (const event of stream) {
      if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') yield event.delta.text
    }
  }

  protected failure(error: unknown): Told['failure'] {
    if (!(error instanceof Anthropic.APIError) || error.status === undefined) throw error
    const { status, headers, requestID } = error
    const retryAfter = headers?.get('retry-after') ?? null
    const { type } = (error.error as { error: { type: string } }).error
    return { class: error.constructor.name, status, type, retryAfter, id: requestID ?? null }
  }

  private client = (url: string) => new Anthropic({ apiKey: KEY, baseURL: url, maxRetries: 0 })

  private request(task: Task) {
    const source = { type: 'base64' as const, media_type: 'image/png' as const, data: IMAGE }
    const text = { type: 'text' as const, text: 'Grüße' }
    const content = task === 'image' ? [text, { type: 'image' as const, source }] : [text]
    return { model: task, max_tokens: 64, messages: [{ role: 'user' as const, content }] }
  }
}
