/** What the proxy listens on where the app leaves it open: which port, and whether it speaks TLS to Chromium. */
import type { ListenOptions } from 'tabport'
import { opensWebSocketsOverHttp2Proxy, survivesGivenUpVerification } from './compat'

/** A fixed start keeps the port, and with it Chromium's caches, the same from one run to the next. */
const DEFAULT_AUTO_PORT = { start: 39385, attempts: 50 }

export const listenerOptions = (options: ListenOptions): ListenOptions => withProtocol(withPort(options))

function withPort(options: ListenOptions): ListenOptions {
  const portChosen = options.port !== undefined || options.autoPort !== undefined
  return portChosen ? options : { ...options, autoPort: DEFAULT_AUTO_PORT }
}

/**
 * TLS is there for what ALPN then offers: HTTP/2, one connection for all that a page asks for. Chromium that cannot open `ws:` over it
 * is not offered it, and has nothing to gain from TLS on this machine, unless the app wants it. `http2` is also what is
 * offered inside a tunnel.
 */
function withProtocol(options: ListenOptions): ListenOptions {
  const multiplexes = opensWebSocketsOverHttp2Proxy()
  const { http2 = survivesGivenUpVerification() } = options
  const { secure = multiplexes && http2 !== false } = options
  return { ...options, secure, http2: multiplexes || !secure ? http2 : false }
}
