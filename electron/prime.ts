/**
 * Fills the session's credential cache and proves the wiring in one request.
 *
 * Electron before 40 (and 39.x of January 2026) raises no `login` event for a WebSocket, and no version raises one for
 * a service worker: both work only when the credentials are in the cache already. The proxy answers
 * `http://tabport.invalid/` itself and names the context it took the request for; an answer from anywhere else cannot
 * name ours.
 */
import { type ClientRequest, type IncomingMessage, net, type Session } from 'electron'
import type { ProxyContextInfo } from 'tabport'
import { headerOf } from './compat'
import type { Endpoint } from './endpoint'
import { wiringFailed } from './errors'
import { isOurChallenge } from './login'

const PRIMING_URL = 'http://tabport.invalid/'
const CONTEXT_FIELD = 'tabport-context'

/** @throws {@link TabportError} `ERR_TABPORT_WIRING`: no answer in time, or not the answer of this context. */
export async function prime(
  session: Session,
  endpoint: Endpoint,
  context: ProxyContextInfo,
  timeoutMs: number,
): Promise<void> {
  const request = net.request({ url: PRIMING_URL, session })
  // A proxy that was on this port before may have left an answer in the session's HTTP cache.
  request.setHeader('Cache-Control', 'no-store')
  answerOnce(request, endpoint, context)
  const response = await responseTo(request, timeoutMs)
  const answeredBy = headerOf(response, CONTEXT_FIELD)
  request.abort()
  if (response.statusCode !== 204 || answeredBy !== context.id) {
    throw wiringFailed(`the proxy did not recognise the session (status ${response.statusCode})`)
  }
}

function answerOnce(request: ClientRequest, endpoint: Endpoint, context: ProxyContextInfo): void {
  let answered = false
  request.on('login', (authInfo, callback) => {
    if (answered || !isOurChallenge(authInfo, endpoint)) return callback()
    answered = true
    callback(context.username, context.password)
  })
}

function responseTo(request: ClientRequest, timeoutMs: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no answer within ${timeoutMs} ms`))
      request.abort()
    }, timeoutMs)
    const settle =
      <T>(done: (value: T) => void) =>
      (value: T): void => {
        clearTimeout(timer)
        done(value)
      }
    request.on('response', settle(resolve))
    request.on('error', settle(reject))
    request.end()
  })
}
