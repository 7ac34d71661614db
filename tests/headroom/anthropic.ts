// Anthropic's messages on the wire.
export const path = '/v1/messages'
export const idField = 'request-id'

const message = (content: object[], stop_reason: string | null) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'stub',
  content,
  stop_reason,
  stop_sequence: null,
  usage: { input_tokens: 3, output_tokens: 5 },
})

export const answer = (text: string) => message([{ type: 'text', text }], 'end_turn')

export const toolCall = () =>
  message([{ type: 'tool_use', id: 'toolu_1', name: 'look_up', input: { city: 'Zürich', days: 3 } }], 'tool_use')

export function events(pieces: string[]) {
  const delta = (text: string) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })
  const ended = { stop_reason: 'end_turn', stop_sequence: null }
  return {
    before: [
      event({ type: 'message_start', message: message([], null) }),
      event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
      event({ type: 'ping' }),
    ],
    pieces: pieces.map((text) => event(delta(text))),
    after: [
      event({ type: 'content_block_stop', index: 0 }),
      event({ type: 'message_delta', delta: ended, usage: { output_tokens: 5 } }),
      event({ type: 'message_stop' }),
    ],
  }
}

const event = (value: { type: string; [member: string]: unknown }) =>
  `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`

export const failure = (type: string, message: string) => ({
  type: 'error',
  error: { type, message },
  request_id: 'req_of_the_provider',
})

export const image = (request: unknown): string => {
  const { messages } = request as { messages: { content: { source?: { data: string } }[] }[] }
  return messages[0]?.content.find((part) => part.source)?.source?.data ?? ''
}
