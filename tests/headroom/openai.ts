// OpenAI's chat completions on the wire.
export const path = '/v1/chat/completions'
export const idField = 'x-request-id'

const USAGE = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 }

const completion = (message: object, finish_reason: string) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'stub',
  choices: [{ index: 0, message: { role: 'assistant', ...message }, logprobs: null, finish_reason }],
  usage: USAGE,
})

export const answer = (text: string) => completion({ content: text, refusal: null }, 'stop')

export const toolCall = () => {
  const call = { name: 'look_up', arguments: '{"city":"Zürich","days":3}' }
  return completion({ content: null, tool_calls: [{ id: 'call_1', type: 'function', function: call }] }, 'tool_calls')
}

export function events(pieces: string[]) {
  return {
    before: [chunk({ role: 'assistant', content: '' })],
    pieces: pieces.map((content) => chunk({ content })),
    after: [chunk({}, 'stop'), 'data: [DONE]\n\n'],
  }
}

function chunk(delta: object, finish_reason: string | null = null): string {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason }]
  const value = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'stub', choices }
  return `data: ${JSON.stringify(value)}\n\n`
}

export const failure = (type: string, message: string) => ({ error: { message, type, param: null, code: type } })

export const image = (request: unknown): string => {
  const { messages } = request as { messages: { content: { image_url?: { url: string } }[] }[] }
  const url = messages[0]?.content.find((part) => part.image_url)?.image_url?.url ?? ''
  return url.slice(url.indexOf(',') + 1)
}
