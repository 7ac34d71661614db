/**
 * Takes a session from its own settings to "everything in scope goes through the proxy, as this context", step by step.
 *
 * Whatever the scope will be, everything goes through the proxy at first: then a host that can never exist may prove the
 * wiring, and no name that a page could have a use for has to be taken for it.
 */
import type { Session } from 'electron'
import type { ProxyContextInfo } from 'tabport'
import { closeAllConnections } from './compat'
import { type Endpoint, throughProxy } from './endpoint'
import { wiringFailed, wiringStep } from './errors'
import { prime } from './prime'
import type { Scope } from './types'

/** Generous: all of it takes some 50 ms, and a busy machine must not be taken for a broken one. */
const STEP_TIMEOUT_MS = 10_000
const POLL_MS = 10

/** One of each kind that Chromium could treat differently. */
const PROBES = ['http://localhost/', 'https://localhost/', 'ws://localhost/', 'wss://localhost/']

/** Out of scope, unless everything is in it. */
const ELSEWHERE = 'http://tabport.invalid/'

/**
 * @param stillWanted - Throws when there is no point in going on.
 * @throws {@link TabportError} `ERR_TABPORT_WIRING`: names the step that failed.
 */
export async function wire(
  session: Session,
  endpoint: Endpoint,
  scope: Scope,
  context: ProxyContextInfo,
  stillWanted: () => void,
): Promise<void> {
  await wiringStep('setting the proxy', () => session.setProxy(throughProxy(endpoint)))
  stillWanted()
  await wiringStep('reading the proxy settings back', () => untilProxied(session, stillWanted))
  await wiringStep('closing old connections', () => closeAllConnections(session))
  stillWanted()
  await wiringStep('priming the credentials', () => prime(session, endpoint, context, STEP_TIMEOUT_MS))
  stillWanted()
  if (scope === 'loopback') await wiringStep('narrowing the scope', () => narrow(session, endpoint, stillWanted))
}

/** The credentials stay in the session's cache, which is kept by proxy and not by rule. */
async function narrow(session: Session, endpoint: Endpoint, stillWanted: () => void): Promise<void> {
  await session.setProxy(throughProxy(endpoint, 'loopback'))
  await until(async () => isDirect(await session.resolveProxy(ELSEWHERE)), 'the scope is still wide', stillWanted)
  await untilProxied(session, stillWanted)
  stillWanted()
}

/** A fresh session resolves to DIRECT for a moment after `setProxy` has resolved. */
async function untilProxied(session: Session, stillWanted: () => void): Promise<void> {
  for (const url of PROBES) {
    await until(async () => !isDirect(await session.resolveProxy(url)), `${url} still bypasses the proxy`, stillWanted)
  }
}

async function until(holds: () => Promise<boolean>, otherwise: string, stillWanted: () => void): Promise<void> {
  const deadline = Date.now() + STEP_TIMEOUT_MS
  while (!(await holds())) {
    stillWanted()
    if (Date.now() > deadline) throw wiringFailed(`${otherwise} after ${STEP_TIMEOUT_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** PAC syntax: `PROXY host:port`, `DIRECT`, or a list of both in which any DIRECT is a way around the proxy. */
const isDirect = (resolved: string): boolean => /\bDIRECT\b/.test(resolved)
