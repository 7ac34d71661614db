// proxy-chain, from npm, with the credentials that the others ask for.
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../.cache/bench/npm/proxy-chain/package.json', import.meta.url))

export const load = () => require('proxy-chain')

export async function start({ Server }) {
  const prepareRequestFunction = ({ username, password }) => ({
    requestAuthentication: username !== 'bench' || password !== 'bench',
  })
  const server = new Server({ host: '127.0.0.1', port: 0, prepareRequestFunction })
  await server.listen()
  return { port: server.port }
}
