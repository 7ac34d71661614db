import assert from 'node:assert/strict'
import { presets, routeFromUrl, urlFromRoute } from 'tabport'

const { provider, port, route } = routeFromUrl('https://3000-i62mff4ahtrdfdkyn2esc.e2b.app/login')
// 'e2b', 3000, { upstream: 'https://{port}-i62mff4ahtrdfdkyn2esc.e2b.app' }
urlFromRoute(route, 8080) // 'https://8080-i62mff4ahtrdfdkyn2esc.e2b.app'

assert.deepEqual([provider, port], ['e2b', 3000])
assert.equal(urlFromRoute(route, 8080), 'https://8080-i62mff4ahtrdfdkyn2esc.e2b.app')

routeFromUrl('https://3000--main--dev--dean.coder.example.com', { domains: { coder: ['coder.example.com'] } })
presets.cmux({ id: 'abc123', scope: 'base', domain: 'preview.example.dev' })
