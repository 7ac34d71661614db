// mockttp, from npm, passing everything through.
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../.cache/bench/npm/mockttp/package.json', import.meta.url))

export const load = () => require('mockttp')

export async function start({ getLocal }) {
  const server = getLocal({ recordTraffic: false })
  await server.start()
  await server.forUnmatchedRequest().thenPassThrough()
  return { port: server.port }
}
