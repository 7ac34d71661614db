// What a proxy must not be: it reads each response to its end before it sends the first byte of it.
import http from 'node:http'
import { buffer } from 'node:stream/consumers'
import { startOrigin } from '../support/origin.ts'
import type { Provider } from './provider.ts'

export interface BufferingProxy {
  url: string
  /** Ends all that goes through it. */
  release(): Promise<void>
}

export async function startBufferingProxy(upstream: Provider): Promise<BufferingProxy> {
  const proxy = await startOrigin((request, response) => {
    const { method, url: path, headers } = request
    const onward = http.request({ host: '127.0.0.1', port: upstream.origin.port, method, path, headers })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    onward.on('response', async (answer) => {
      const body = await buffer(answer).catch(() => undefined)
      if (!body) return
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      response.end(body)
    })
    request.pipe(onward)
  })
  return { url: `http://127.0.0.1:${proxy.port}`, release: () => proxy.close() }
}
