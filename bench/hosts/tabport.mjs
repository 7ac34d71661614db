// tabport as its users get it: the built addon, one context, no events.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

export const load = () => require('../../index.js')

export const start = ({ ProxyServer }) => listen(ProxyServer, {})

/** Says where it listens, for whom, and what certificate it shows where it speaks TLS. */
export async function listen(ProxyServer, options) {
  const proxy = await ProxyServer.listen(options)
  const { username, password } = proxy.createContext(1)
  const credentials = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  // What nobody refers to may be collected.
  globalThis.proxy = proxy
  return { port: proxy.port(), credentials, certificate: proxy.listenerCertificate()?.pem }
}
