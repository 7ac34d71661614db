import assert from 'node:assert/strict'
import { presets, routeFromUrl, urlFromRoute } from 'tabport'

const route = presets.codespaces({ name: 'octo-mld5' }) // { upstream: 'https://octo-mld5-{port}.app.github.dev' }
routeFromUrl('https://octo-mld5-3000.app.github.dev/') // { provider: 'codespaces', port: 3000, route }
urlFromRoute(route, 8080) // 'https://octo-mld5-8080.app.github.dev'

assert.deepEqual(route, { upstream: 'https://octo-mld5-{port}.app.github.dev' })
const read = routeFromUrl('https://octo-mld5-3000.app.github.dev/')
assert.deepEqual({ ...read }, { provider: 'codespaces', port: 3000, route })
assert.equal(urlFromRoute(route, 8080), 'https://octo-mld5-8080.app.github.dev')
