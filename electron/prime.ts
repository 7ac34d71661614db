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
  const response = await asked(session, endpoint, context, timeoutMs)
  const answeredBy = headerOf(response, CONTEXT_FIELD)
  if (response.statusCode !== 204 || answeredBy !== context.id) {
    throw wiringFailed(`the proxy did not recognise the session (status ${response.statusCode})`)
  }
}

/**
 * Before Electron 11.4, a second connection that comes while our certificate handler is being asked about the first gets
 * Chromium's own verdict (electron/electron#28358). Some come unbidden, for a dictionary. What the handler has said is kept,
 * so that the next attempt finds it.
 */
async function asked(
  session: Session,
  endpoint: Endpoint,
  context: ProxyContextInfo,
  timeoutMs: number,
  attempts = 3,
): Promise<IncomingMessage> {
  try {
    return await askOnce(session, endpoint, context, timeoutMs)
  } catch (error) {
    if (attempts === 1 || !String(error).includes('ERR_PROXY_CERTIFICATE_INVALID')) throw error
    return asked(session, endpoint, context, timeoutMs, attempts - 1)
  }
}

async function askOnce(
  session: Session,
  endpoint: Endpoint,
  context: ProxyContextInfo,
  timeoutMs: number,
): Promise<IncomingMessage> {
  const request = net.request({ url: PRIMING_URL, session })
  // A proxy that was on this port before may have left an answer in the session's HTTP cache.
  request.setHeader('Cache-Control', 'no-store')
  answerOnce(request, endpoint, context)
  const response = await responseTo(request, timeoutMs)
  request.abort()
  return response
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
