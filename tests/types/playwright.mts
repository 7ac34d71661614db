// The types of `tabport/playwright` as an ES module project sees them. `tsc` checks this file; nothing runs it.
import type { GatewayRoute, UpstreamRoute } from 'tabport'
import { expect, type Route, test } from 'tabport/playwright'

const gateway: GatewayRoute = { cmuxProxyOrigin: 'http://127.0.0.1:39379', workspace: 'one' }
const template: UpstreamRoute = { upstream: 'https://{port}-abc.preview.example' }

const routes: Route[] = [{ morphId: 'abc', scope: 'base', domainSuffix: 'preview.example' }, gateway, template]
test.use({ localhost: template, localhostProxy: { upstreamProxy: 'socks5://proxy.example' } })
// @ts-expect-error: a route is complete.
test.use({ localhost: { morphId: 'abc' } })
test('two worlds', async ({ page, newLocalhost, localhostServer }) => {
  const other = await newLocalhost(gateway, { locale: 'de-DE' })
  expect(localhostServer.stats().contexts).toBe(2)
  void [page, await other.newPage(), routes]
  // @ts-expect-error: it has a proxy.
  await newLocalhost(gateway, { proxy: { server: 'http://proxy.example' } })
})
