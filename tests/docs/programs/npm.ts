import { ProxyServer } from 'tabport'

const proxy = await ProxyServer.start('127.0.0.1:0', true)
const { username, password } = proxy.createContext(1, { upstream: 'http://127.18.0.1:{port}' })
console.log(`curl -x http://127.0.0.1:${proxy.port()} -U ${username}:${password} http://localhost:3000/`)
await proxy.stop() // when nobody asks it any more
