import { ProxyServer } from 'tabport'

const proxy = await ProxyServer.startWithAutoPort('127.0.0.1', 39385, 50, true)
const { id, username, password } = proxy.createContext(1, { upstream: 'http://127.18.0.1:{port}' })
console.log(`curl -x http://127.0.0.1:${proxy.port()} -U ${username}:${password} http://localhost:3000/`)
proxy.releaseContext(id)
await proxy.stop()
