/** An HTTPS server on the user's own machine with any certificate, and what it has been asked. */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Leaf } from '../../support/authority.ts'

export interface TlsServer {
  readonly port: number
  /** Request targets: whoever did not like the certificate has sent none. */
  readonly requests: string[]
  close(): Promise<void>
}

export async function startTlsServer({ key, chain }: Leaf): Promise<TlsServer> {
  const requests: string[] = []
  const server = createServer({ key, cert: chain }, (request, response) => {
    requests.push(request.url!)
    response.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store' })
    response.end('<!doctype html><body>tls server</body>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { port: (server.address() as AddressInfo).port, requests, close }
}
