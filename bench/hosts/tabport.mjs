// tabport as its users get it: the built addon, one context, no events.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

export const load = () => require('../../index.js')

export async function start({ ProxyServer }) {
  const proxy = await ProxyServer.listen()
  const { username, password } = proxy.createContext(1)
  const credentials = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  // What nobody refers to may be collected.
  globalThis.proxy = proxy
  return { port: proxy.port(), credentials }
}
