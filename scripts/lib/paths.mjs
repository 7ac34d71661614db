// Where things lie in the repository. Nothing is cached outside of it.
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** An absolute path inside the repository. */
export const inRoot = (...parts) => path.join(root, ...parts)

export const cache = inRoot('.cache')
export const demoMain = inRoot('dist', 'demo', 'main.cjs')
/** The workspace gateway, for tests and the demo. */
export const gatewayProgram = debugProgram('cmux-proxy')
/** The reverse proxy, for tests. */
export const headroomProgram = debugProgram('headroom-proxy')
/** Loaded by tests/panics.test.ts. */
export const panickingAddon = inRoot('target', 'panics', 'tabport.node')
/** The workspace gateway as one file: what `npm run build:gateway` makes, on Linux. */
export const staticGateway = inRoot('target', 'static', 'cmux-proxy')
/** The reverse proxy in the same way. */
export const staticHeadroom = inRoot('target', 'static', 'headroom-proxy')
/** The npm packages that `npm test` tests in CI: `binaries`, and the `tarballs` made of them. */
export const trialPackages = inRoot('target', 'packages', 'trial')

function debugProgram(name) {
  return inRoot('target', 'debug', process.platform === 'win32' ? `${name}.exe` : name)
}
