// What Chromium is told of the proxy, and names it by in a challenge: decided without Electron.
import { expect, test } from 'vitest'
import { endpointOf, throughProxy } from '../../electron/endpoint.ts'

test.each([
  ['127.0.0.1', '127.0.0.1', 'http://127.0.0.1:39385'],
  ['localhost', '127.0.0.1', 'http://127.0.0.1:39385'],
  ['0.0.0.0', '127.0.0.1', 'http://127.0.0.1:39385'],
  ['::1', '::1', 'http://[::1]:39385'],
  ['0:0:0:0:0:0:0:1', '::1', 'http://[::1]:39385'],
  ['::', '::1', 'http://[::1]:39385'],
  ['0::0', '::1', 'http://[::1]:39385'],
])('a proxy that listens on %s is %s', (listenHost, host, proxyRules) => {
  const endpoint = endpointOf(listenHost, 39_385, false)
  expect(endpoint.host).toBe(host)
  expect(throughProxy(endpoint).proxyRules).toBe(proxyRules)
})
